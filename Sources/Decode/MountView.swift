/// What a process sees of file systems, told by the names that records use: those beneath the host's mounts.
///
/// A process may live among mounts of its own (mount_namespaces(7)); two namespaces' mounts never have one id.
public struct MountView: Sendable {
  /// Where a file is that is known by a mount and a path.
  public enum Place: Hashable, Sendable {
    /// Beneath the best of the host's mounts of its file system.
    case host([UInt8])
    /// On an overlay: its name in each layer, the layer as whoever mounted the overlay named it.
    case layers([[UInt8]])
    /// On a file system, or a part of one, that the host has nowhere.
    case elsewhere
    /// On a mount that is neither the host's nor the process's, as one that was detached.
    case unknown
  }

  private let best: [MountEntry]
  private let mounts: [UInt32: MountEntry]

  /// A view of these mounts.
  ///
  /// - Parameters:
  ///   - host: /proc/self/mountinfo of who asks.
  ///   - own: /proc/PID/mountinfo of the process.
  ///   - root: what /proc/PID/root leads to: the mount points of `own` are told from there on.
  public init(host: [MountEntry], own: [MountEntry], root: [UInt8]) {
    best = MountEntry.canonicalOrder(host)
    var mounts: [UInt32: MountEntry] = [:]
    for var mount in own {
      mount.mountPoint = mount.mountPoint == [0x2f] ? root : MountPath.join(root, mount.mountPoint[...])
      mounts[mount.id] = mount
    }
    for mount in host { mounts[mount.id] = mount }
    self.mounts = mounts
  }

  /// Where the file is that `path` leads to, as proc_pid_fd(5) shows it, on the mount of this id.
  public func place(of path: [UInt8], on mount: UInt32) -> Place {
    guard let mount = mounts[mount], let rest = MountPath.rest(of: path, beneath: mount.mountPoint) else {
      return .unknown
    }
    let inside = MountPath.join(mount.directory, rest)
    if mount.type == Array("overlay".utf8) {
      return .layers(mount.layers.map { inside == [0x2f] ? $0 : MountPath.join($0, inside[...]) })
    }
    for host in best where host.device == mount.device {
      if let rest = MountPath.rest(of: inside, beneath: host.directory) {
        return .host(MountPath.join(host.mountPoint, rest))
      }
    }
    return .elsewhere
  }
}
