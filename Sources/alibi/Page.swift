internal import Certificates
internal import MerkleLog

/// The page that a bundle holds for people: HTML without a script and without a reference to anything outside.
///
/// Whatever comes from the certificate goes through `html(_:)`; no value ever stands in an attribute or a command.
struct Page {
  let statement: Statement

  init(_ statement: Statement) { self.statement = statement }

  /// What an auditor types who trusts no program of ours. The files are the bundle's; `KEY` is the log's verifier key,
  /// which nobody may have from the bundle. The log's own signature is the first of the checkpoint's.
  static let evidenceCommands = """
    openssl dgst -sha256 -binary evidence.json | base64
    sed -n 's/^evidence //p' certificate
    """
  static let checkpointCommands = #"""
    head -n 3 checkpoint > text
    sed -n 5p checkpoint | cut -d ' ' -f 3 | base64 -d | tail -c +5 > signature
    { printf '\060\052\060\005\006\003\053\145\160\003\041\000'
      printf '%s' "$KEY" | cut -d + -f 3- | base64 -d | tail -c 32; } > key.der
    openssl pkeyutl -verify -pubin -keyform DER -inkey key.der -rawin -in text -sigfile signature
    """#

  /// The page.
  var text: String {
    let body = [heading, summary, timeline, gaps, epochs, configurations, limits, byHand].joined(separator: "\n")
    return """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
      <title>Certificate of non-access</title>
      <style>
      \(Self.style)
      </style>
      </head>
      <body>
      \(body)
      </body>
      </html>

      """
  }

  private static let style = """
    body { font: 16px/1.5 sans-serif; color: #1a1a1a; background: #fff; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
    h1 { font-size: 1.6rem } h2 { font-size: 1.2rem; margin-top: 2rem }
    table { border-collapse: collapse; margin: .5rem 0 } th, td { text-align: left; padding: .15rem 1rem .15rem 0 }
    th { font-weight: 600 } td, th { border-bottom: 1px solid #ddd; vertical-align: top }
    td, dd, li, p, code { overflow-wrap: anywhere } code, pre { font: 14px/1.5 monospace }
    pre { background: #f4f4f4; padding: .75rem; overflow-x: auto } svg { width: 100%; height: auto }
    dl { display: grid; grid-template-columns: 12rem 1fr; gap: .2rem 1rem } dt { font-weight: 600 } dd { margin: 0 }
    .answer { border-left: .4rem solid #2c6e49; padding-left: 1rem } .short { border-color: #b8860b }
    .note { color: #555 } .ok { fill: #7fb896 } .poor { fill: #e6c35c } .gap { fill: #b3261e } .edge { stroke: #fff; stroke-width: .5 }
    text { font: 13px sans-serif; fill: #333 }
    @media print { body { margin: 0; max-width: none } pre { white-space: pre-wrap } }
    """

  // MARK: Parts

  private var heading: String {
    """
    <h1>Certificate of non-access</h1>
    <p class="note">This page explains the files beside it. It is no evidence itself and anybody could have written it:
    what counts is what a verifier says of them, see <em>How to verify it</em>.</p>
    """
  }

  private var summary: String {
    let stated = statement.certificate
    let names = stated.names.map { "\($0) bindings of the name to files were followed" } ?? "not followed"
    let rows = [
      ("Log", stated.origin), ("Target", "\(stated.target.kind.rawValue) \(statement.name)"),
      ("Target, base64", Base64.encode(stated.target.data)), ("From", statement.from), ("To", statement.to),
      ("Claim", stated.claim.rawValue), ("Scope", stated.scope.text),
      ("Sessions", "\(stated.sessions) ran in the epochs that hold this time"),
      ("Epochs", "\(stated.firstEpoch) to \(stated.lastEpoch)"), ("Other names", names),
      ("Accepted hazards", stated.accepted.isEmpty ? "none" : Self.cut(stated.accepted.joined(separator: ", "))),
      ("Covered", "\(Statement.seconds(stated.covered)) of \(Statement.seconds(length)) in these epochs"),
      ("Gaps", "\(stated.gaps) in these epochs, \(statement.gaps.count) of them touch the time"),
      ("Losses", "\(stated.lost)"), ("Degraded", Statement.seconds(stated.degraded)),
      ("Seen from outside", stated.anchorLag.map { "after at most \(Statement.seconds($0))" } ?? "not shown"),
      (
        "File systems", statement.fileSystems.isEmpty ? "none" : Self.cut(statement.fileSystems.joined(separator: ", "))
      ),
      ("Evidence", "SHA-256 \(stated.evidence.base64)"),
    ]
    return """
      <h2>What was asked</h2>
      <p>\(html(statement.question))</p>
      <h2>The answer</h2>
      <p class="answer\(statement.isClean ? "" : " short")">\(html(statement.answer))</p>
      <dl>
      \(rows.map { "<dt>\(html($0.0))</dt><dd>\(html($0.1))</dd>" }.joined(separator: "\n"))
      </dl>
      """
  }

  private var length: UInt64 {
    guard let first = statement.epochs.first, let last = statement.epochs.last, last.to > first.from else { return 0 }
    return last.to - first.from
  }

  /// The time asked about from left to right: epochs in one row, gaps across it.
  private var timeline: String {
    let (from, to) = (statement.certificate.from, statement.certificate.to)
    func place(_ time: UInt64) -> Int {
      guard time > from else { return 0 }
      return Int(Double(Self.columns) * (Double(min(time, to) - from) / Double(to - from)))
    }
    func bar(_ begin: UInt64, _ end: UInt64, _ kind: String) -> Bar {
      let left = min(place(begin), Self.columns - 1)
      // A gap of a moment in a year must still be seen.
      return Bar(left: left, width: max(place(end) - left, 1), kind: kind)
    }
    let epochs = statement.epochs.map { epoch in
      bar(epoch.from, epoch.to, epoch.lost > 0 || epoch.degraded > 0 ? "poor edge" : "ok edge")
    }
    let gaps = Self.merged(statement.gaps).map { bar($0.from, $0.to, "gap") }
    let shapes =
      Self.thinned(epochs, worst: "poor edge").map { $0.shape(top: 20, height: 40) }
      + Self.thinned(gaps, worst: "gap").map { $0.shape(top: 12, height: 56) }
    return """
      <h2>Coverage</h2>
      <svg viewBox="0 0 1000 95" role="img">
      <title>The time asked about, its epochs, and the gaps in it</title>
      \(shapes.joined(separator: "\n"))
      <text x="0" y="88">\(html(statement.from))</text>
      <text x="1000" y="88" text-anchor="end">\(html(statement.to))</text>
      </svg>
      <p class="note">\(blocks) Green: nothing lost. Yellow: something was lost, or the sensor was not seen
      to work for a part of it. Red, across: a gap, for which nobody vouches.</p>
      """
  }

  private var blocks: String {
    statement.epochs.count <= Self.mostBars
      ? "Each block is an epoch." : "\(statement.epochs.count) epochs, in one row."
  }

  /// A stretch of the picture.
  struct Bar: Equatable {
    var left: Int
    var width: Int
    var kind: String

    func shape(top: Int, height: Int) -> String {
      "<rect class=\"\(kind)\" x=\"\(left)\" y=\"\(top)\" width=\"\(width)\" height=\"\(height)\"></rect>"
    }
  }

  /// How wide the picture is.
  static let columns = 1000
  /// More than these have no room beside each other.
  static let mostBars = 400

  /// Bars as they are, or where they are many the stretches of columns that they fill, the worst kind before others.
  static func thinned(_ bars: [Bar], worst: String) -> [Bar] {
    guard bars.count > mostBars else { return bars }
    var kinds = [String?](repeating: nil, count: columns)
    for bar in bars {
      for column in bar.left..<min(bar.left + bar.width, columns) where kinds[column] != worst {
        kinds[column] = bar.kind
      }
    }
    var out: [Bar] = []
    for (column, kind) in kinds.enumerated() {
      guard let kind else { continue }
      if let last = out.last, last.kind == kind, last.left + last.width == column {
        out[out.count - 1].width += 1
      } else {
        out.append(Bar(left: column, width: 1, kind: kind))
      }
    }
    return out
  }

  /// Gaps as stretches of time: many witnesses can miss the same minute.
  static func merged(_ gaps: [GapRecord]) -> [(from: UInt64, to: UInt64)] {
    var stretches: [(from: UInt64, to: UInt64)] = []
    for gap in gaps.sorted(by: { $0.from < $1.from }) {
      if let last = stretches.last, gap.from <= last.to {
        stretches[stretches.count - 1].to = max(last.to, gap.to)
      } else {
        stretches.append((gap.from, gap.to))
      }
    }
    return stretches
  }

  private var gaps: String {
    let all = statement.gaps
    guard !all.isEmpty else { return "<p>No gap touches the time asked about.</p>" }
    let shown = Self.most(all, limit: Self.mostRows) { $0.to - $0.from > $1.to - $1.from }
    return rest(of: all.count, shown.count, "gaps", "longest")
      + table(
        ["From", "To", "Which witness", "Why"],
        shown.map { [Statement.time($0.from), Statement.time($0.to), Self.cut($0.source), Self.cut($0.reason)] })
  }

  /// Rows of a table that a person still reads.
  static let mostRows = 100

  /// The foremost of the elements by an order, in the order they came.
  static func most<Element>(_ all: [Element], limit: Int, by isBefore: (Element, Element) -> Bool) -> [Element] {
    guard all.count > limit else { return all }
    // Those that are equal in the order come as they came.
    let ranked = all.enumerated().sorted {
      isBefore($0.element, $1.element) || (!isBefore($1.element, $0.element) && $0.offset < $1.offset)
    }
    return ranked.prefix(limit).sorted { $0.offset < $1.offset }.map(\.element)
  }

  /// What the issuer may have made as long as a record; whole in the evidence.
  static func cut(_ text: String) -> String { text.count > 300 ? text.prefix(300) + "…" : text }

  /// Says that a table has not all.
  private func rest(of total: Int, _ shown: Int, _ what: String, _ which: String) -> String {
    guard total > shown else { return "" }
    return
      "<p>The \(shown) \(which) of \(total) \(what); \(total - shown) more are not in this table. evidence.json has "
      + "all.</p>\n"
  }

  private var epochs: String {
    let all = statement.epochs
    let shown = Self.most(all, limit: Self.mostRows) {
      ($0.degraded, $0.lost, $0.gaps) > ($1.degraded, $1.lost, $1.gaps)
    }
    let rows = shown.map { epoch in
      [
        "\(epoch.number)", Statement.time(epoch.from), Statement.time(epoch.to), "\(epoch.sessions)", "\(epoch.begun)",
        "\(epoch.events)", "\(epoch.gaps)", "\(epoch.lost)", Statement.seconds(epoch.degraded),
        epoch.hazards.isEmpty ? "none" : Self.cut(epoch.hazards.joined(separator: " ")),
      ]
    }
    let head = [
      "Epoch", "From", "To", "Sessions", "Begun in it", "Events", "Gaps", "Losses", "Degraded", "Hazards seen",
    ]
    return """
      <h2>Sessions and epochs</h2>
      <p>\(html(sessions))</p>
      \(rest(of: all.count, shown.count, "epochs", "worst, or else first,"))\(table(head, rows))
      """
  }

  private var sessions: String {
    switch statement.certificate.scope {
    case .agent:
      "The certificate speaks of every session that the log counts here. Their keys are committed in the epochs and are "
        + "not shown: they tell who worked when."
    case .session(let key): "The certificate speaks of the session \(key) alone. Others may have done what it denies."
    }
  }

  private var configurations: String {
    // Types are spelt out: with GRDB in the program an inferred `joined` could make SQL of the text.
    let shown = statement.configs.prefix(Self.mostConfigs)
    let rows = shown.map { record -> String in
      zip(record.kind.fields, record.values).map { field, value -> String in
        let shown: String
        switch value {
        case .number(let number): shown = String(number)
        case .word(let text), .line(let text): shown = text
        case .words(let words): shown = words.joined(separator: " ")
        case .hash(let hash): shown = hash.base64
        case .anyHash(let hash): shown = hash?.base64 ?? "none"
        case .bytes(let bytes): shown = Base64.encode(bytes)
        }
        return "<dt>\(html(field.key))</dt><dd>\(html(Self.cut(shown)))</dd>"
      }.joined(separator: "\n")
    }
    return "<h2>Configurations in force</h2>\n"
      + rest(of: statement.configs.count, shown.count, "configurations", "first")
      + rows.map { "<dl>\n\($0)\n</dl>" }.joined(separator: "\n")
  }

  /// Each is eight lines.
  static let mostConfigs = 20

  private var limits: String {
    """
    <h2>What is not claimed</h2>
    <ul>
    \(statement.limits.map { "<li>\(html($0))</li>" }.joined(separator: "\n"))
    </ul>
    """
  }

  private var byHand: String {
    """
    <h2>How to verify it</h2>
    <p>You need the log's verifier key, which you enrolled <em>before</em> the time asked about. A key from this bundle
    proves nothing. In the directory of this page, with that key:</p>
    <pre>KEY='the key that you enrolled'
    alibi verify . --key "$KEY"</pre>
    <p>A second verifier, written in Python to be read, says the same:</p>
    <pre>python3 alibi_verify.py certificate evidence.json 0 "$KEY"</pre>
    <p>Parts of it with tools that nobody here wrote. That the evidence is what the certificate names; both lines must be
    the same:</p>
    <pre>\(html(Self.evidenceCommands))</pre>
    <p>That the log signed its head, which commits every record above:</p>
    <pre>\(html(Self.checkpointCommands))</pre>\(rotated)
    <p>The checkpoint is a signed note, the log an RFC 6962 tree: golang.org/x/mod/sumdb/note and tlog check both.</p>
    """
  }

  /// The head is not by the key that whoever reads this may have enrolled.
  private var rotated: String {
    guard let key = statement.replacement else { return "" }
    return """

      <p>The log's key has been replaced since the log began. Both verifiers above follow the key that you enrolled through
      the KEY records in the evidence to the one that signed this head. Once they accept, and not before, that is the one
      for the commands above, and the one to enrol from now on:</p>
      <pre>KEY=&#39;\(html(key.text))&#39;</pre>
      """
  }

  private func table(_ head: [String], _ rows: [[String]]) -> String {
    func row(_ cells: [String], _ tag: String) -> String {
      "<tr>" + cells.map { "<\(tag)>\(html($0))</\(tag)>" }.joined() + "</tr>"
    }
    return "<table>\n" + ([row(head, "th")] + rows.map { row($0, "td") }).joined(separator: "\n") + "\n</table>"
  }
}

/// Text as HTML shows it, whatever is in it.
private func html(_ text: String) -> String {
  var out = ""
  for scalar in text.unicodeScalars {
    switch scalar {
    case "&": out += "&amp;"
    case "<": out += "&lt;"
    case ">": out += "&gt;"
    case "\"": out += "&quot;"
    case "'": out += "&#39;"
    default: out.unicodeScalars.append(scalar)
    }
  }
  return out
}
