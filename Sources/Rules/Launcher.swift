public import Records

/// A program that has another process start a command for whoever runs it.
public struct Launcher: Hashable, Sendable {
  /// Its executable.
  public var program: RawPath
  /// Whether the user's shell is started where it is told no command.
  public var startsShells: Bool

  /// Why a command is taken for the one that was asked for.
  public enum Match: Hashable, Sendable {
    /// Its arguments are those that the launcher was given.
    case arguments
    /// It is a shell without arguments, as the server starts it where it is told nothing.
    case shell
  }

  /// Whether a command that was executed is the one that a launcher with these arguments asked for: its last arguments
  /// as they are, or, behind a shell's `-c`, put together as ssh and tmux do.
  public func match(_ executed: [[UInt8]], askedWith arguments: [[UInt8]]) -> Match? {
    guard let program = executed.first, arguments.count > 1 else { return nil }
    let asked = arguments.dropFirst()
    if asked.count >= executed.count, asked.suffix(executed.count - 1).elementsEqual(executed.dropFirst()),
      let first = asked.suffix(executed.count).first, Self.name(first) == Self.name(program)
    {
      return .arguments
    }
    if executed.count == 3, Self.isShell(program), Self.isCommandOption(executed[1]) {
      for start in asked.indices where asked[start...].joined(separator: [0x20]).elementsEqual(executed[2]) {
        return .arguments
      }
    }
    return startsShells && executed.count == 1 && Self.isShell(program) ? .shell : nil
  }

  /// Whether a program is a shell, by its name; a login shell's begins with `-`.
  public static func isShell(_ program: [UInt8]) -> Bool {
    let name = name(program)
    return shells.contains(Array(name.first == UInt8(ascii: "-") ? name.dropFirst() : name))
  }

  private static let shells = Set(
    ["sh", "bash", "dash", "zsh", "ksh", "mksh", "fish", "csh", "tcsh", "busybox"].map { Array($0.utf8) })

  /// The last component of a path.
  private static func name(_ path: [UInt8]) -> ArraySlice<UInt8> {
    path.lastIndex(of: UInt8(ascii: "/")).map { path[($0 + 1)...] } ?? path[...]
  }

  /// `-c`, also together with others, as in `-lc`.
  private static func isCommandOption(_ word: [UInt8]) -> Bool {
    word.first == UInt8(ascii: "-") && word.last == UInt8(ascii: "c")
  }
}
