internal import Decode
internal import Journal
internal import LinuxKernel

// What one batch reads besides identity-mode events.
extension Collector {
  /// Reads what descriptor mode tells; whether that was all.
  func readDescriptorEvents(from lower: UInt64) -> Bool {
    guard let waiting = mounts.descriptors?.descriptor.available, waiting > 0 else { return true }
    return unsafe withUnsafeTemporaryAllocation(byteCount: 16_384, alignment: 8) { buffer in
      // The events hold descriptors of this process: should it die before they are told, they are lost.
      ring[.descriptorsSince] = lower
      defer { ring[.descriptorsSince] = 0 }
      for _ in 0..<256 {
        let count: Int
        do throws(Errno) { count = unsafe try mounts.descriptors?.descriptor.read(into: buffer) ?? 0 } catch {
          if error != .wouldBlock {
            lose(.descriptors, from: lower, reason: "read failed: \(error)")
          }
          return true
        }
        guard count > 0 else { return true }
        var offset = 0
        let bytes = unsafe UnsafeRawBufferPointer(rebasing: buffer[..<count])
        while let record = try? unsafe FanotifyRecord.next(in: bytes.bytes, at: &offset) {
          note(record, from: lower)
        }
      }
      return false
    }
  }

  private func note(_ record: FanotifyRecord, from lower: UInt64) {
    if record.mask.contains(.overflow) {
      return lose(.descriptors, from: lower, reason: "queue overflow")
    }
    guard record.descriptor >= 0 else {
      write(DescriptorEvent(mask: record.mask.rawValue, pid: record.pid, device: 0, inode: 0, path: []))
      return
    }
    let file = OwnedDescriptor(adopting: record.descriptor)
    guard record.pid != Procfs.ownPid else { return }
    let status = try? FileStatus(descriptor: file)
    write(
      DescriptorEvent(
        mask: record.mask.rawValue, pid: record.pid, device: status?.device ?? 0, inode: status?.inode ?? 0,
        path: (try? path(of: file)) ?? []))
  }

  /// Reads who reached other processes' memory until now; whether that was all.
  func drainMemory(from lower: UInt64) -> Bool {
    guard let memory else { return true }
    let (events, losses, isAll) = memory.take()
    for event in events { write(event) }
    for reason in losses { lose(.memory, from: lower, reason: reason) }
    memory.settle()
    return isAll
  }

  /// Reads what forks, execs, exits and mappings there are.
  func drainLineage() {
    let began = Clock.monotonic.now
    var lost = false
    for index in perf.indices where drainTasks(&perf[index]) { lost = true }
    if connector != nil { drainConnector() }
    if lost {
      lose(.perf, from: lineageDrained, reason: "task records lost")
      // What was born in between is found in /proc, if it still lives.
      if let found = try? ProcessScan.all() {
        for process in found { write(process) }
      }
    }
    lineageDrained = began
  }

  /// Reads the task records of one CPU; whether some were lost.
  private func drainTasks(_ tasks: inout CPUTasks) -> Bool {
    var wasTold = false
    // No more than waits now: what comes meanwhile is later than the batch's last read.
    var waiting = tasks.ring.pending
    while waiting > 0 {
      var taken = 0
      let from = tasks.ring.tail
      let hadRoom = unsafe ring.append(
        .perf, aux: UInt16(truncatingIfNeeded: tasks.ring.cpu), room: min(max(waiting, 4096), 1 << 20),
        mark: { from + UInt64(taken) }
      ) { target in
        let result = unsafe tasks.ring.copy(into: target)
        taken = result.count
        if result.lost { wasTold = true }
        return result.count > 0 ? result.count : -1
      }
      // Only once it is in the journal; a successor finds by the mark that it is.
      tasks.ring.release(upTo: from + UInt64(taken))
      if !hadRoom { waitForRoom(1 << 20) } else if taken == 0 { break }
      waiting -= taken
    }
    // The kernel's own count tells at once; a record tells only with the next event on that CPU.
    guard let lost = tasks.ring.lost else { return wasTold }
    defer { tasks.lost = lost }
    return lost > tasks.lost
  }

  private func drainConnector() {
    var more = true
    // Bounded, so that a batch always fits the journal; the rest comes with the next one.
    for _ in 0..<128 where more {
      var dropped = false
      let hadRoom = unsafe ring.append(.connector, room: 65_536) { target in
        var used = 0
        while used + 512 <= target.count {
          let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: target[used...])
          switch unsafe try? connector?.receive(into: rest) {
          case .datagram(let count): used += (count + 3) & ~3
          case .foreign: continue
          case .lost:
            dropped = true
            more = false
            return used > 0 ? used : -1
          default:
            more = false
            return used > 0 ? used : -1
          }
        }
        return used
      }
      if dropped {
        lose(.connector, from: lineageDrained, reason: "socket buffer overflow")
        // Who has root's rights now, whatever was not told.
        if let found = try? ProcessScan.all() { for process in found { write(process) } }
        more = true
      }
      if !hadRoom { waitForRoom(65_536) }
    }
  }
}
