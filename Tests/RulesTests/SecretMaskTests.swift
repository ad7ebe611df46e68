import Rules
import Testing

@Suite("Secrets in arguments")
struct SecretMaskTests {
  private func masked(_ arguments: String...) throws -> [String] {
    try shipped().masked(arguments.map { Array($0.utf8) }).arguments.map { String(decoding: $0, as: UTF8.self) }
  }

  @Test("an option's value, as the next argument or behind =, to its end; a variable's")
  func options() throws {
    #expect(try masked("curl", "--api-token", "ab;cd&ef") == ["curl", "--api-token", "***"])
    #expect(try masked("--password=correct horse") == ["--password=***"])
    #expect(try masked("-token", "-x") == ["-token", "***"])
    #expect(try masked("env", "API_TOKEN=x y", "true") == ["env", "API_TOKEN=***", "true"])
    #expect(
      try masked("--env=API_TOKEN=x", "--build-arg=NPM_TOKEN=x") == [
        "--env=API_TOKEN=***", "--build-arg=NPM_TOKEN=***",
      ])
    #expect(try masked("-o", "username=u,password=p,ro") == ["-o", "username=u,password=***,ro"])
  }

  @Test("within a script: quoted or not, headers to the end of the quotation, JSON")
  func scripts() throws {
    #expect(
      try masked("sh", "-c", "curl -H 'Authorization: Bearer abc def' https://h; echo done")
        == ["sh", "-c", "curl -H 'Authorization: ***' https://h; echo done"])
    #expect(try masked("PASSWORD='a b' run --secret \"c d\" e") == ["PASSWORD=***"])
    #expect(
      try masked("x; PASSWORD='a b' run --secret \"c d\" e") == ["x; PASSWORD='***' run --secret \"***\" e"])
    #expect(
      try masked("-d", "{\"user\": \"u\", \"password\": \"x y\", \"n\": 1}")
        == ["-d", "{\"user\": \"u\", \"password\": \"***\", \"n\": 1}"])
    #expect(try masked("password = \"x\"") == ["password = \"***\""])
  }

  @Test("what is told by its own form, wherever it stands, and what stands in an address")
  func forms() throws {
    #expect(try masked("GH=ghp_0123456789abcdef") == ["GH=***"])
    #expect(try masked("https://ghp_0123456789abcdef@github.com/a") == ["https://***@github.com/a"])
    #expect(try masked("git", "clone", "https://u:p/w@h/r") == ["git", "clone", "https://u:***@h/r"])
    #expect(try masked("git@github.com:a/b", "https://host/a@b") == ["git@github.com:a/b", "https://host/a@b"])
  }

  @Test("what is no secret stays as it is, and is not counted")
  func others() throws {
    let plain = ["rg", "--json", "-n", "foo = bar: baz", "a=b", "/srv/data/x.csv", "tokens.txt?", "key=value"]
    let found = try shipped().masked(plain.map { Array($0.utf8) })
    #expect(found.arguments.map { String(decoding: $0, as: UTF8.self) } == plain && found.count == 0)
    #expect(try shipped().masked([Array("--token".utf8), Array("x".utf8)]).count == 1)
  }
}
