internal import Decode
internal import Journal
internal import Records

extension Engine {
  /// What is known of audit, for a successor.
  mutating func exchangeAudit(_ archive: inout Archive) throws(JournalError) {
    try archive(&audit.isHeard)
    try archive.list(&audit.marks, AuditTrail.Mark(number: 0, time: 0)) { (archive, mark) throws(JournalError) in
      try archive(&mark.number)
      try archive(&mark.time)
    }
    try archive.optional(&audit.toldTo)
    try archive(&audit.standing)
    try archive(&reconciliation)
    try archive(&placeWatch)
    try archive.table(&audit.launchers, 0, []) { (archive, pid, arguments) throws(JournalError) in
      try archive(&pid)
      try archive.list(&arguments, []) { (archive, word) throws(JournalError) in try archive(&word) }
    }
    try archive.list(&audit.requests)
    let nobody = AuditTrail.Stranger(pid: 0, deputy: Deputy(session: nil, channels: []), since: 0, seen: 0)
    try archive.list(&audit.strangers, nobody) { (archive, stranger) throws(JournalError) in
      try archive(&stranger.pid)
      try archive(&stranger.deputy)
      try archive(&stranger.since)
      try archive(&stranger.seen)
    }
    let unanswered = AuditTrail.Unanswered(
      deputy: Deputy(session: nil, channels: []), since: 0, seen: 0, isAnswered: false)
    try archive.list(&audit.unanswered, unanswered) { (archive, request) throws(JournalError) in
      try archive(&request.deputy)
      try archive(&request.since)
      try archive(&request.seen)
      try archive(&request.isAnswered)
    }
    try archive.list(&audit.accepts, (0, 0)) { (archive, accept) throws(JournalError) in
      try archive(&accept.pid)
      try archive(&accept.told)
    }
    try archive.table(&audit.asked, 0, 0) { (archive, pid, told) throws(JournalError) in
      try archive(&pid)
      try archive(&told)
    }
    var others = audit.others.map { (pid: $0.pid, told: $0.told, bytes: $0.event.bytes) }
    try archive.list(&others, (0, 0, [])) { (archive, other) throws(JournalError) in
      try archive(&other.pid)
      try archive(&other.told)
      try archive(&other.bytes)
    }
    audit.others = others.compactMap { other in AuditEvent(whole: other.bytes).map { (other.pid, $0, other.told) } }
    let nothing = AuditTrail.Departure(deputy: Deputy(session: nil, channels: []), since: 0, looked: 0)
    try archive.list(&audit.departures, nothing) { (archive, departure) throws(JournalError) in
      try archive(&departure.deputy)
      try archive(&departure.since)
      try archive(&departure.looked)
    }
    try archive.table(&jobs, .blank, .blank) { (archive, file, origin) throws(JournalError) in
      try archive(&file)
      try archive(&origin)
    }
    try archive.list(&memoryOfGone)
    try archive(&recent)
    try exchangeEvents(&archive)
  }
}
