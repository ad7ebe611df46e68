/// Which kinds of question a deed answers with yes.
struct Kinds: OptionSet, Hashable, Codable {
  let rawValue: Int

  static let any = Kinds(rawValue: 1)
  static let read = Kinds(rawValue: 2)
  static let write = Kinds(rawValue: 4)
  static let exec = Kinds(rawValue: 8)
}

/// What a deed does to one of its files: surely, and perhaps.
struct Effect {
  var did: Kinds
  var could: Kinds

  init(_ did: Kinds = [], could: Kinds = []) {
    self.did = did
    self.could = could.union(did)
  }

  static let reads = Effect([.any, .read])
  static let opens = Effect(.any, could: .read)
  static let writes = Effect([.any, .write], could: .read)
  static let executes = Effect([.any, .read, .exec])
  static let attributes = Effect(.any)
  static let nothing = Effect()
  static let perhaps = Effect(could: [.any, .read, .write, .exec])
}

/// What a deed does to names.
enum Naming: String, Codable {
  case none, link, rename, exchange, unlink, create, replace
}

/// What a file must be for a way.
enum FileKind: String, Codable {
  case data, program, script, library
}

/// A way of reaching a file, as the actor knows it, and what is true when it was done.
struct Way {
  var name: String
  /// The row of HAZARDS.md it belongs to.
  var row: String
  /// What it does to each of its paths.
  var effects: [Effect]
  var naming = Naming.none
  var kinds: Set<FileKind> = [.data, .program, .script, .library]
  /// The first word is the number of a descriptor that was opened outside.
  var isInherited = false
  /// The second word is an empty directory to mount on.
  var wantsMountPoint = false
  /// The second word is a name that nothing bears.
  var wantsFreeName = false
  /// Whether campaigns choose it; the others are for named cases.
  var isCommon = true
}

extension Way {
  private static let data: Set<FileKind> = [.data]

  private static func reading(_ row: String, _ names: [String]) -> [Way] {
    names.map { Way(name: $0, row: row, effects: [.reads]) }
  }

  static let all: [Way] =
    reading("A1", ["openat", "read", "pread", "readv", "preadv2", "direct"])
    + reading("A2", ["ring", "ring-worker", "ring-polled"])
    + reading("A3", ["handle"])
    + reading("A4", ["reopen", "process-root", "process-directory", "process-descriptor"])
    + reading("A5", ["mmap", "mmap-shared", "mmap-populate", "mmap-protect"])
    + reading("A6", ["sendfile", "splice", "tee"])
    + reading("A9", ["dots"])
    + reading("A10", ["namespace", "detached", "chroot", "user"])
    + reading("A17", ["steps"])
    + [
      Way(name: "open", row: "A1", effects: [.opens]),
      Way(name: "openat2", row: "A1", effects: [.opens]),
      Way(name: "creat", row: "A1", effects: [.writes], kinds: data),
      Way(name: "mmap-write", row: "A5", effects: [Effect([.any, .read, .write])], kinds: data),
      Way(name: "mmap-write-later", row: "A5", effects: [Effect([.any, .read, .write])], kinds: data),
      Way(name: "mmap-exec", row: "A5", effects: [.executes]),
      Way(name: "hold-map", row: "A5b", effects: [.reads], isCommon: false),
      Way(name: "exec", row: "A5", effects: [.executes], kinds: [.program, .script]),
      Way(name: "execveat", row: "A5", effects: [.executes], kinds: [.program]),
      Way(name: "fexecve", row: "A5", effects: [.executes], kinds: [.program]),
      Way(name: "preload", row: "A5", effects: [.executes], kinds: [.library]),
      Way(name: "copy-range", row: "A6", effects: [.reads, .writes], kinds: data),
      Way(name: "reflink", row: "A6", effects: [.reads, .perhaps], kinds: data),
      Way(name: "truncate", row: "A7", effects: [.writes], kinds: data),
      Way(name: "write", row: "A7", effects: [.writes], kinds: data),
      Way(name: "append", row: "A7", effects: [.writes], kinds: data),
      Way(name: "rewrite", row: "A7", effects: [.writes], kinds: data),
      Way(name: "fallocate", row: "A7", effects: [.writes], kinds: data),
      Way(name: "chmod", row: "A7", effects: [.attributes]),
      Way(name: "utimes", row: "A7", effects: [.attributes]),
      Way(name: "setxattr", row: "A7", effects: [.attributes]),
      Way(name: "link", row: "A8", effects: [.writes, .writes], naming: .link, wantsFreeName: true),
      Way(name: "rename", row: "A9", effects: [.writes, .writes], naming: .rename),
      Way(name: "exchange", row: "A9", effects: [.writes, .writes], naming: .exchange),
      Way(name: "unlink", row: "A7", effects: [.writes], naming: .unlink),
      Way(name: "replace", row: "A8", effects: [.writes, .writes], naming: .replace, wantsFreeName: true),
      Way(name: "create", row: "A1", effects: [.writes], naming: .create),
      Way(name: "tmpfile", row: "A7", effects: [.writes], naming: .create),
      Way(name: "symlink", row: "A9", effects: [.reads, .perhaps], wantsFreeName: true),
      Way(name: "bind", row: "A10", effects: [.reads], wantsMountPoint: true),
      Way(name: "moved", row: "A10", effects: [.reads], wantsMountPoint: true),
      Way(name: "overlay-read", row: "A10", effects: [.reads], wantsMountPoint: true),
      Way(name: "overlay-write", row: "A10", effects: [.opens], wantsMountPoint: true),
      Way(name: "bind-linger", row: "A10", effects: [.reads], wantsMountPoint: true, isCommon: false),
      Way(name: "overlay-linger", row: "A10", effects: [.reads], wantsMountPoint: true, isCommon: false),
      Way(name: "attached-linger", row: "A10", effects: [.reads], wantsMountPoint: true, isCommon: false),
      Way(name: "fd-read", row: "A11", effects: [.reads], isInherited: true),
      Way(name: "fd-map", row: "A11", effects: [.reads], isInherited: true),
      Way(name: "fd-receive", row: "A11", effects: [.reads], isInherited: true),
      Way(name: "fd-write", row: "A11", effects: [Effect([.any, .write])], kinds: data, isInherited: true),
      Way(name: "fd-aio", row: "A6b", effects: [.reads], isInherited: true, isCommon: false),
      Way(name: "fd-close", row: "A19", effects: [.nothing], isInherited: true),
      Way(name: "stat", row: "A18", effects: [.nothing]),
      Way(name: "fail-below", row: "A15", effects: [.nothing]),
      Way(name: "fail-exclusive", row: "A15", effects: [.nothing]),
      Way(name: "fail-directory", row: "A15", effects: [.nothing]),
      Way(name: "deep", row: "A17", effects: [.nothing], isCommon: false),
      Way(name: "own-tmpfs", row: "A12", effects: [.nothing], isCommon: false),
      Way(name: "mkdir", row: "A9", effects: [.nothing], isCommon: false),
    ]

  static let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })

  /// Whether a failure with this code means that nothing at all was reached.
  func isClean(failure code: Int32) -> Bool {
    // A file without a name is written before it gets one, or is refused one.
    if name == "tmpfile" { return false }
    // ENOENT, EACCES, ENOTDIR, EEXIST, EPERM. Of two files the first may have been opened already.
    return (effects.count == 1 || naming != .none) && [2, 13, 20, 17, 1].contains(code)
  }
}
