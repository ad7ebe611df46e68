import Testing

@testable import Monitor

@Suite("Who can tell whom something")
struct ConnectionsTests {
  @Test("over sockets both ways, over pipes and terminals one way, not through those that hand nothing on")
  func reach() {
    var connections = Connections()
    for (one, other) in [(1, 2), (2, 3), (5, 6)] as [(Int32, Int32)] {
      let (near, far) = (UInt64(one * 10 + other), UInt64(other * 10 + one))
      connections.add(one, from: .socket(near))
      connections.add(one, to: .socket(far))
      connections.add(other, from: .socket(far))
      connections.add(other, to: .socket(near))
    }
    connections.add(3, Array("pipe:[77]".utf8), Array("pos:\t0\nflags:\t0100001\nmnt_id:\t12\n".utf8))
    connections.add(4, Array("pipe:[77]".utf8), Array("pos:\t0\nflags:\t02000000\n".utf8))
    connections.add(4, Array("/dev/ptmx".utf8), Array("pos:\t0\nflags:\t02\nmnt_id:\t12\ntty-index:\t5\n".utf8))
    connections.add(7, from: .terminal(5))
    #expect(connections.reach(from: [1], except: []) == [2, 3, 4, 7])
    #expect(connections.reach(from: [1], except: [2]) == [2])
    #expect(connections.reach(from: [7], except: []) == [])
    #expect(connections.reach(from: [4], except: []) == [7])
    #expect(connections.reach(from: [3], except: [], isSession: true) == [1, 2])
    #expect(connections.reach(from: [2], except: [2]) == [])
    #expect(connections.reach(from: [6], except: []) == [5])
  }

  @Test("the two ends of a connection within the host, one of them an IPv6 socket")
  func pairs() {
    let head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    let first = head + "   0: 0100007F:56CE 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  0 0 41 1 0 20 4\n"
    let second =
      head
      + "   0: 0000000000000000FFFF00000100007F:1F90 0000000000000000FFFF00000100007F:56CE 01 00000000:00000000 "
      + "00:00000000 00000000  0 0 42 1 0 20 4\n"
      + "   1: 0000000000000000FFFF00000100007F:1F90 0000000000000000FFFF00000100007F:AAAA 01 00000000:00000000 "
      + "00:00000000 00000000  0 0 43 1 0 20 4\n"
    let pairs = Connections.pairs([Array(first.utf8), Array(second.utf8)])
    #expect(pairs.map { [$0.0, $0.1] } == [[41, 42], [42, 41]])
  }
}
