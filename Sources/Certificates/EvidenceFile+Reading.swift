internal import MerkleLog

extension EvidenceFile {
  /// Reads the file; nil where it is malformed in any way. Nothing is verified by that.
  public init?(_ bytes: [UInt8]) {
    guard let top = Json(bytes)?.fields("format", "checkpoint", "authority", "configs", "epochs", "anchors"),
      let format = top[0].bytes, format.elementsEqual(Self.format.utf8), let checkpoint = top[1].bytes,
      let authority = Self.each(top[2], Self.leaf), let configs = Self.each(top[3], \.bytes),
      let epochs = Self.each(top[4], Self.epoch), let anchors = Self.each(top[5], Self.anchor)
    else { return nil }
    self.init(
      checkpoint: checkpoint, authority: authority, configs: configs, epochs: epochs, anchors: anchors)
  }

  private static func each<Element>(_ json: Json, _ read: (Json) -> Element?) -> [Element]? {
    guard let elements = json.elements else { return nil }
    var out: [Element] = []
    for element in elements {
      guard let value = read(element) else { return nil }
      out.append(value)
    }
    return out
  }

  private static func base64(_ json: Json) -> [UInt8]? { json.bytes.flatMap { Base64.decode($0) } }

  private static func hash(_ json: Json) -> Hash? { json.bytes.flatMap { Hash(base64: $0) } }

  private static func text(_ json: Json) -> String? { json.bytes.map { String(decoding: $0, as: UTF8.self) } }

  private static func leaf(_ json: Json) -> Leaf? {
    guard let fields = json.fields("record", "index", "proof") else { return nil }
    return leaf(fields)
  }

  private static func leaf(_ fields: [Json]) -> Leaf? {
    guard let record = fields[0].bytes, let index = fields[1].integer, let proof = each(fields[2], hash) else {
      return nil
    }
    return Leaf(record: record, index: index, proof: proof)
  }

  private static func epoch(_ json: Json) -> Epoch? {
    guard
      let fields = json.fields("record", "index", "proof", "salt", "session", "gaps", "names", "absent"),
      let leaf = leaf(fields), let salt = base64(fields[3]), let session = each(fields[4], place),
      session.count < 2, let gaps = each(fields[5], \.bytes), let names = each(fields[6], opening), names.count < 2,
      let absences = each(fields[7], absence)
    else { return nil }
    return Epoch(
      leaf: leaf, salt: salt, session: session.first, gaps: gaps, names: names.first, absences: absences)
  }

  private static func place(_ json: Json) -> SessionPlace? {
    guard let fields = json.fields("index", "proof"), let index = fields[0].integer,
      let proof = each(fields[1], hash)
    else { return nil }
    return SessionPlace(index: index, proof: proof)
  }

  private static func opening(_ json: Json) -> NameOpening? {
    guard let fields = json.fields("first", "bindings", "before", "after"), let first = fields[0].integer,
      let bindings = each(fields[1], binding), let before = each(fields[2], neighbour),
      let after = each(fields[3], neighbour)
    else { return nil }
    return NameOpening(first: first, bindings: bindings, before: before, after: after)
  }

  private static func binding(_ json: Json) -> NameOpening.Binding? {
    guard let fields = json.fields("nonce", "identity", "from", "to", "proof"), let nonce = hash(fields[0]),
      let identity = base64(fields[1]), let from = fields[2].integer, let to = fields[3].integer,
      let proof = each(fields[4], hash)
    else { return nil }
    return NameOpening.Binding(nonce: nonce, identity: identity, from: from, to: to, proof: proof)
  }

  private static func neighbour(_ json: Json) -> NameOpening.Neighbour? {
    guard let fields = json.fields("tags", "binding", "proof"), let tags = each(fields[0], hash),
      let commitment = hash(fields[1]), let proof = each(fields[2], hash)
    else { return nil }
    return NameOpening.Neighbour(tags: tags, commitment: commitment, proof: proof)
  }

  private static func absence(_ json: Json) -> Absence? {
    guard let fields = json.fields("bitmap", "siblings"), let bitmap = base64(fields[0]),
      let siblings = each(fields[1], hash)
    else { return nil }
    return Absence(bitmap: bitmap, siblings: siblings)
  }

  private static func anchor(_ json: Json) -> Anchor? {
    guard let fields = json.fields("kind", "checkpoint", "proof", "by"),
      let kind = text(fields[0]).flatMap(Anchor.Kind.init), let checkpoint = fields[1].bytes,
      let proof = each(fields[2], hash), let text = fields[3].bytes
    else { return nil }
    // What is no base64 is no token, and no empty one is: that is for who looks at the anchors.
    let by = kind == .witness ? text : Base64.decode(text) ?? []
    return Anchor(kind: kind, checkpoint: checkpoint, consistency: proof, by: by)
  }
}
