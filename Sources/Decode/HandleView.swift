/// A file handle inside a buffer of fanotify events: which file, without copying its bytes.
public struct HandleView: Sendable, BitwiseCopyable {
  /// `f_fsid` of the file system.
  public var fileSystem: UInt64
  /// `file_handle.handle_type`
  public var type: Int32
  /// Where the handle's bytes begin in the buffer.
  public var offset: Int
  /// How many there are.
  public var count: Int

  /// A view of these parts.
  public init(fileSystem: UInt64, type: Int32, offset: Int, count: Int) {
    self.fileSystem = fileSystem
    self.type = type
    self.offset = offset
    self.count = count
  }

  /// The handle's bytes, copied.
  public func bytes(in buffer: RawSpan) -> [UInt8] { buffer.array(offset..<(offset + count)) }

  /// Inode, generation and subvolume that the handle encodes; nil for an encoding we do not know.
  public func decoded(in buffer: RawSpan) -> DecodedHandle? {
    DecodedHandle(type: type, in: buffer, at: offset, count: count)
  }
}

/// What a file handle encodes (`enum fid_type`, linux/exportfs.h).
public struct DecodedHandle: Hashable, Sendable, BitwiseCopyable {
  /// The inode number.
  public var inode: UInt64
  /// The inode's generation.
  public var generation: UInt32
  /// The root id of the btrfs subvolume; else 0.
  public var subvolume: UInt64

  /// Reads the encodings that file systems with whole-file-system marks use.
  public init?(type: Int32, in buffer: RawSpan, at offset: Int, count: Int) {
    subvolume = 0
    switch (type, count) {
    case (1, 8):  // FILEID_INO32_GEN: ext4 and others
      inode = UInt64(buffer.integer(UInt32.self, at: offset))
      generation = buffer.integer(UInt32.self, at: offset + 4)
    case (1, 12):  // shmem_encode_fh: generation, inode low, inode high
      generation = buffer.integer(UInt32.self, at: offset)
      inode =
        UInt64(buffer.integer(UInt32.self, at: offset + 4))
        | UInt64(buffer.integer(UInt32.self, at: offset + 8)) << 32
    case (0x81, 12):  // FILEID_INO64_GEN: the generic encoding, and xfs with 64-bit inodes
      inode = buffer.integer(UInt64.self, at: offset)
      generation = buffer.integer(UInt32.self, at: offset + 8)
    case (0x4d, 20):  // FILEID_BTRFS_WITHOUT_PARENT: object id, root id, generation
      inode = buffer.integer(UInt64.self, at: offset)
      subvolume = buffer.integer(UInt64.self, at: offset + 8)
      generation = buffer.integer(UInt32.self, at: offset + 16)
    case (0xfe, 8):  // FILEID_KERNFS: the whole id is the inode on 64-bit machines, and the generation always 1
      inode = buffer.integer(UInt64.self, at: offset)
      generation = 1
    default: return nil
    }
  }
}
