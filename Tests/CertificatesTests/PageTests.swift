internal import MerkleLog
internal import Testing

@testable internal import Certificates
@testable internal import alibi

/// The page that a bundle holds for people.
struct PageTests {
  /// Everything hostile that a name can hold: markup, quotes, a newline, an override of direction, an end of text, a
  /// right-to-left mark, bytes that are no UTF-8.
  private static let hostile =
    Scene.utf8("</title></code><script>alert(1)</script>\n&\"'\u{202E}\u{200F}\u{1B}[2J") + [0xFF, 0xC3]

  private func page(_ scene: Scene, _ request: CertificateRequest) throws -> String {
    Page(try #require(Statement(scene.bundle(request)))).text
  }

  /// Elements and attributes that bring nothing in and lead nowhere.
  private static let elements: Set<String> = [
    "html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "em", "dl", "dt", "dd", "table", "tr", "th",
    "td",
    "ul", "li", "pre", "svg", "rect", "text",
  ]
  private static let attributes: Set<String> = [
    "lang", "charset", "http-equiv", "content", "class", "viewBox", "role", "x", "y", "width", "height", "text-anchor",
  ]

  /// Expects only what is listed, everything closed, and text in which nothing can begin an element.
  private func expectHarmless(_ page: String) throws {
    #expect(page.hasPrefix("<!DOCTYPE html>\n"))
    var open: [String] = []
    for match in page.dropFirst("<!DOCTYPE html>".count).matches(of: #/<([^>]*)>/#) {
      let tag = match.1
      let parts = try #require(tag.wholeMatch(of: #/(\/?)([a-z][a-z0-9]*)((?: [a-zA-Z-]+="[^"<>]*")*)/#), "<\(tag)>")
      #expect(Self.elements.contains(String(parts.2)), "<\(tag)>")
      for attribute in parts.3.matches(of: #/ ([a-zA-Z-]+)="/#) {
        #expect(Self.attributes.contains(String(attribute.1)), "<\(tag)>")
      }
      if parts.1 == "/" {
        #expect(open.popLast() == String(parts.2))
      } else if parts.2 != "meta" {
        open.append(String(parts.2))
      }
    }
    #expect(open.isEmpty)
    #expect(page.replacing(#/<[^<>]*>/#, with: "").firstMatch(of: #/[<>]/#) == nil)
    #expect(page.contains("default-src 'none'"))
    for reference in ["url(", "@import", "://", "javascript:"] { #expect(!page.contains(reference), "\(reference)") }
    let odd = page.unicodeScalars.filter {
      ($0.properties.generalCategory == .control && $0 != "\n") || $0.properties.generalCategory == .format
        || $0 == "\u{FFFD}"
    }
    #expect(odd.isEmpty)
  }

  @Test("it tells what was asked, the answer, and what is not claimed, and refers to nothing outside")
  func plain() throws {
    let page = try page(Scene(), Scene.request())
    try expectHarmless(page)
    #expect(page.contains("Was there a process of a recognised agent session that opened"))
    #expect(page.contains("no process attributed to a recognised agent session opened"))
    #expect(page.contains("/data/customers and everything beneath it"))
    #expect(page.contains("<dt>kernel</dt><dd>6.18</dd>") && !page.contains("SQL"))
    #expect(page.contains("No gap touches the time asked about."))
    #expect(page.contains("<dd>2025-12-31T00:00:00.000001Z</dd>"))
    #expect(page.matches(of: #/<rect class="ok edge"/#).count == 3)
    #expect(!page.contains("class=\"gap\""))
    for limit in ["Attempts that were denied", "Copies of the files", "nothing on a host proves itself"] {
      #expect(page.contains(limit))
    }
  }

  @Test("after a rotation the page names the key that signed the head, and only then")
  func rotated() throws {
    var scene = try Scene()
    #expect(try !page(scene, Scene.request()).contains("has been replaced"))
    try scene.rotate(20)
    let page = try page(scene, Scene.request())
    try expectHarmless(page)
    #expect(page.contains("has been replaced") && page.contains("KEY=&#39;\(scene.head.verifier.text)&#39;"))
    #expect(!page.contains(scene.logKey.verifier.text))
  }

  @Test("gaps and poor epochs are drawn where they are, and told of")
  func gaps() throws {
    let request = try Scene.request(.file, "/zzz", accepted: ["docker", "unattributed"])
    let page = try page(Scene(days: Scene.poorDays()), request)
    try expectHarmless(page)
    #expect(page.contains("<rect class=\"gap\" x=\"0\" y=\"12\" width=\"333\" height=\"56\">"))
    #expect(page.matches(of: #/class="poor edge" x="666"/#).count == 1)
    for told in [
      "<td>stopped</td>", "apart from the gaps and losses listed", "1 of them touch the time", "2 losses were reported",
      "Accepted, docker: ", "Accepted, unattributed: ", "That the name existed",
    ] {
      #expect(page.contains(told), "\(told)")
    }
  }

  @Test("a gap of a moment is seen, and many at once are one stretch")
  func moments() throws {
    var days = Scene.quietDays()
    let noon = Scene.start + Scene.day / 2
    days[0].gaps = (0..<5).map { GapRecord(from: noon + $0, to: noon + 9, source: "w\($0)", reason: "late") }
    let page = try page(Scene(days: days), Scene.request())
    #expect(page.matches(of: #/<rect class="gap" x="166" y="12" width="1"/#).count == 1)
    #expect(page.matches(of: #/<td>late<\/td>/#).count == 5)
  }

  /// Many days of a minute each, every third poor, with gaps in each.
  private func long(_ epochs: Int, gaps: Int) throws -> Statement {
    var statement = try #require(Statement(Scene(days: Scene.poorDays()).bundle(Scene.request(.file, "/zzz"))))
    let minute: UInt64 = 60_000_000_000
    let first = try #require(statement.epochs.first)
    statement.epochs = (0..<UInt64(epochs)).map { number in
      var epoch = first
      epoch.number = number
      epoch.from = Scene.start + number * minute
      epoch.to = epoch.from + minute
      epoch.lost = number % 3 == 0 ? 1 : 0
      epoch.degraded = number == UInt64(epochs) - 1 ? minute : 0
      return epoch
    }
    statement.certificate.from = Scene.start
    statement.certificate.to = Scene.start + UInt64(epochs) * minute
    statement.gaps = (0..<UInt64(gaps)).map { number in
      let from = Scene.start + number * 1_000_000_000
      return GapRecord(
        from: from, to: from + (number == 4321 ? 1_000_000_000 : 7), source: "queue",
        reason: String(repeating: "&\"", count: 5000))
    }
    return statement
  }

  @Test("with thousands of epochs and gaps it stays small, tells how many there are, and shows the worst")
  func many() throws {
    for (epochs, gaps) in [(400, 5000), (5000, 20_000)] {
      let text = Page(try long(epochs, gaps: gaps)).text
      try expectHarmless(text)
      // Well below what a verifier reads of it.
      #expect(text.utf8.count < Bundle.Part.page.limit / 2)
      #expect(text.contains("The 100 longest of \(gaps) gaps; \(gaps - 100) more"))
      #expect(text.contains("<td>\(Statement.time(Scene.start + 4321 * 1_000_000_000))</td>"))
      #expect(text.contains("of \(epochs) epochs; \(epochs - 100) more"))
      #expect(text.contains("<td>\(epochs - 1)</td>"))
      #expect(text.matches(of: #/<tr>/#).count == 202)
    }
  }

  @Test("a picture of many epochs is that of few: no poor one and no gap is lost, and nothing is drawn beyond it")
  func picture() {
    let few = (0..<400).map { Page.Bar(left: $0, width: 1, kind: "ok") }
    #expect(Page.thinned(few, worst: "poor") == few)
    let many = (0..<10_000).map { Page.Bar(left: $0 / 10, width: 1, kind: $0 == 5555 ? "poor" : "ok") }
    #expect(
      Page.thinned(many, worst: "poor") == [
        .init(left: 0, width: 555, kind: "ok"), .init(left: 555, width: 1, kind: "poor"),
        .init(left: 556, width: 444, kind: "ok"),
      ])
    let apart = (0..<1000).map { Page.Bar(left: $0 / 2 * 2, width: 1, kind: "gap") }
    #expect(Page.thinned(apart, worst: "gap").count == 500)
    #expect(Page.thinned(apart + [.init(left: 999, width: 50, kind: "gap")], worst: "gap").last?.width == 2)
  }

  @Test("hostile names are shown and do nothing", arguments: [Target.Kind.file, .tree, .name, .ext, .glob])
  func hostile(kind: Target.Kind) throws {
    var request = try Scene.request()
    let bytes = Self.hostile.filter { kind.rawValue == "glob" || $0 != 0x2F }
    let path = kind == .file || kind == .tree ? Scene.utf8("/") + bytes : bytes
    request.target = try #require(Target(kind, path))
    let bundle = try Scene(patterns: [path]).bundle(request)
    let statement = try #require(Statement(bundle))
    let page = Page(statement).text
    try expectHarmless(page)
    #expect(page.contains("&lt;script&gt;alert(1)&lt;"))
    #expect(page.contains(#"\x0a&amp;&quot;&#39;\xe2\x80\xae\xe2\x80\x8f\x1b[2J\xff\xc3"#))
    // The text beside it goes to terminals.
    #expect(statement.notClaimed.unicodeScalars.allSatisfy { $0 == "\n" || (0x20...0x7E).contains($0.value) })
  }

  @Test("hostile sessions, reasons and configurations are shown and do nothing")
  func otherValues() throws {
    let session = "<script>&\"'$(reboot)`x`"
    var days = Scene.quietDays()
    for at in days.indices { days[at].sessions = [session] }
    days[0].gaps = [
      GapRecord(from: Scene.start, to: Scene.start + 5000, source: "<b>", reason: "</td><img src=x onerror=a()>")
    ]
    let page = try page(Scene(days: days), Scene.request(scope: .session(session)))
    try expectHarmless(page)
    #expect(page.contains("&lt;/td&gt;&lt;img src=x onerror=a()&gt;"))
    // Nothing that the issuer chose stands in what the auditor is told to type.
    for command in page.matches(of: #/<pre>([^<]*)<\/pre>/#) {
      #expect(!command.1.contains("reboot") && !command.1.contains("alibi/test"))
    }
  }

  @Test("what has no certificate's form has no page")
  func malformed() throws {
    let bundle = try Scene().bundle(Scene.request())
    var other = bundle
    other.certificate = []
    #expect(Statement(other) == nil)
    other = bundle
    other.evidence.removeLast()
    #expect(Statement(other) == nil)
  }
}
