import Foundation

/// What the command line asks for.
struct Options {
  static let usage = """
    usage: alibi-gauntlet [--trials N] [--minutes M] [--seed S] [--faults yes|no] [--keep DIR] [--json FILE]
           alibi-gauntlet --cases | --case NAME | --list
           [--programs DIR] [--rules DIR]

      --trials N       stop after so many deeds were asked about (default 2000)
      --minutes M      stop after so many minutes
      --seed S         the campaign's seed (default: of the clock)
      --faults yes|no  whether every few rounds something goes wrong (default yes)
      --fault NAME     no fault but this one (may be repeated)
      --fault-every N  a fault in every Nth round (default 4)
      --shrink yes|no  whether failing rounds are made small and kept (default yes)
      --keep DIR       where failing programs are kept (default a directory in /tmp)
      --json FILE      writes the summary there too
      --cases          runs every named case
      --case NAME      runs one
      --list           names the cases
      --programs DIR   where alibid, alibi and gauntlet-actor are (default: beside this program)
      --rules DIR      the rules
    """

  var trials = 2000
  var minutes: Double?
  var seed = UInt64(truncatingIfNeeded: Wall.now)
  /// What may go wrong; nothing when empty.
  var faults = Fault.allCases
  var faultEvery = 4
  var shrinks = true
  var keep = ""
  var json: String?
  var cases = false
  var lists = false
  var names: [String] = []
  var programs = ""
  var rules = ""

  init(_ arguments: [String]) throws {
    var rest = arguments[...], chosen: [Fault] = []
    let own = rest.popFirst() ?? ""
    programs = String(own[..<(own.lastIndex(of: "/") ?? own.startIndex)])
    while let option = rest.popFirst() {
      func value() throws -> String {
        guard let value = rest.popFirst() else { throw Trouble("\(option) needs a value") }
        return value
      }
      func number<Number: LosslessStringConvertible>() throws -> Number {
        let text = try value()
        guard let number = Number(text) else { throw Trouble("\(option) \(text): not a number") }
        return number
      }
      switch option {
      case "--trials": trials = try number()
      case "--minutes": minutes = try number()
      case "--seed": seed = try number()
      case "--faults": faults = try value() == "yes" ? Fault.allCases : []
      case "--fault":
        let name = try value()
        guard let fault = Fault(rawValue: name) else {
          throw Trouble("\(name): not one of \(Fault.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        chosen.append(fault)
      case "--fault-every": faultEvery = max(1, try number())
      case "--shrink": shrinks = try value() == "yes"
      case "--keep": keep = try value()
      case "--json": json = try value()
      case "--cases": cases = true
      case "--case": names.append(try value())
      case "--list": lists = true
      case "--programs": programs = try value()
      case "--rules": rules = try value()
      default: throw Trouble("unknown option \(option)\n\(Self.usage)")
      }
    }
    if !chosen.isEmpty { faults = chosen }
  }
}
