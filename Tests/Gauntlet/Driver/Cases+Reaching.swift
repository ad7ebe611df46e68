extension NamedCase {
  static let reaching: [NamedCase] = [
    .init(
      name: "A1", title: "open and its kin", expected: .seen,
      agent: each("open openat openat2 creat read pread readv preadv2 direct")),
    .init(
      name: "A2", title: "io_uring: inline, worker, polled", expected: .seen,
      agent: each("ring ring-worker ring-polled")),
    .init(name: "A3", title: "open_by_handle_at", expected: .seen, agent: each("handle")),
    .init(
      name: "A4", title: "O_PATH, /proc/self/fd, /proc/PID/root, cwd, fd", expected: .seen,
      agent: each("reopen process-root process-directory process-descriptor")),
    .init(
      name: "A5", title: "mappings", expected: .seen,
      agent: each("mmap mmap-shared mmap-populate mmap-protect mmap-exec mmap-write mmap-write-later")),
    .init(
      name: "A5.exec", title: "executions, a script, LD_PRELOAD", expected: .seen,
      agent: "do 1 exec $X ; do 2 execveat $X ; do 3 fexecve $X ; do 4 exec $S ; do 5 preload $L ;", op: "exec"),
    .init(
      name: "A5.write", title: "a shared writable mapping could have written", expected: .block,
      agent: each("mmap-write mmap-write-later"), op: "write"),
    .init(
      name: "A5b", title: "a mapping held, and used in the time asked about", expected: .own,
      agent: "do 1 hold-map $1 ;"),
    .init(
      name: "A6", title: "sendfile, splice, tee, copy_file_range", expected: .seen,
      agent: each("sendfile splice tee") + " do 4 copy-range $4 $5 ;"),
    .init(
      name: "A6.reflink", title: "FICLONE, also where it is refused", expected: .seen, agent: "do 1 reflink $1 $2 ;",
      asks: ["$1"]),
    .init(
      name: "A6b", title: "libaio on a descriptor opened outside", expected: .hazard, agent: "do 1 fd-aio 100 ;",
      before: "inherit 100 $1 ;", asks: ["$1"]),
    .init(
      name: "A7", title: "changes without a read", expected: .seen,
      agent: each("truncate fallocate chmod utimes setxattr unlink") + " do 7 tmpfile $M/new ; do 8 replace $7 $7.tmp ;"
    ),
    .init(
      name: "A8.before", title: "linked before by somebody, read by the link, then replaced", expected: .seen,
      agent: "at 300 do 2 read $M/link ;",
      bystander: "do 1 link $1 $M/link ; at 600 do 3 replace $1 $1.tmp ;", asks: ["$1"]),
    .init(
      name: "A8.during", title: "linked and read by the session, then replaced by somebody", expected: .seen,
      agent: "do 1 link $1 $M/link ; do 2 read $M/link ;", bystander: "at 600 do 3 replace $1 $1.tmp ;", asks: ["$1"]),
    .init(
      name: "A8.after", title: "replaced, and read under the name that the old file still has", expected: .seen,
      agent: "at 600 do 3 read $M/link ;",
      bystander: "do 1 link $1 $M/link ; at 300 do 2 replace $1 $1.tmp ;", asks: ["$1"]),
    .init(
      name: "A8.link", title: "read by a link while both names are there", expected: .seen,
      agent: "do 1 link $1 $2x ; do 2 read $2x ;", asks: ["$1"]),
    .init(
      name: "A8.tree", title: "read by a link from outside the directory, and the link taken away", expected: .seen,
      agent: "at 200 do 2 read $M/link ;",
      bystander: "do 1 link $D/in $M/link ; at 600 do 3 unlink $M/link ;", asks: ["$D/"]),
    .init(name: "A8b", title: "a snapshot of a btrfs subvolume", expected: .own),
    .init(
      name: "A9", title: "renamed before and after, exchanged, `..`, `//`, a symbolic link", expected: .seen,
      agent:
        "do 1 rename $1 $M/moved ; do 2 read $M/moved ; do 3 exchange $2 $3 ; do 4 dots $4 ; do 5 symlink $5 $M/to ;",
      asks: ["$1", "$2", "$3", "$4", "$5", "$M/moved"]),
    .init(
      name: "A9.directory", title: "the directory renamed by somebody after the read", expected: .seen,
      agent: "do 1 read $D/in ;", bystander: "at 400 do 2 rename $D $M/there ;", asks: ["$D/in", "$M/there/in"]),
    .init(
      name: "A9.gone", title: "the file and its directory deleted after the read", expected: .seen,
      agent: "do 1 read $D/in ; do 2 unlink $D/in ;", bystander: "at 400 do 3 rename $D $M/there ;",
      asks: ["$M/there/in"]),
    .init(
      name: "A9b", title: "read by the same process before and after it became an agent", expected: .seen,
      before: "fork { do 1 read $1 ; become $A { do 2 read $1 ; } }", asks: ["$1"]),
    .init(
      name: "A10", title: "bind mount, own namespace, chroot, overlay, moved and detached mounts, an ordinary user",
      expected: .seen,
      agent:
        "do 1 bind $1 $M ; do 2 namespace $2 ; do 3 chroot $3 ; do 4 overlay-read $4 $M ; do 5 overlay-write $5 $M ; "
        + "do 6 moved $6 $M ; do 7 detached $7 ; do 8 user $8 ;",
      asks: ["$1", "$2", "$3", "$4", "$5", "$6", "$7", "$8"]),
    .init(name: "A10.gone", title: "by a bind mount that is gone when it is asked by its path", expected: .own),
    .init(name: "A10.layers", title: "by an overlay that is gone when it is asked by its path", expected: .own),
    .init(
      name: "A10.inside", title: "by a bind mount that only the session had, asked by its path", expected: .seen,
      agent: "do 1 bind-linger $1 $M ; do 2 attached-linger $2 $M ;", asks: ["$M/f1", "$M/f2"]),
    .init(
      name: "A10.merged", title: "by an overlay that only the session had, asked by its path", expected: .block,
      agent: "do 1 overlay-linger $1 $M ;", asks: ["$M/merged/f1"]),
    .init(
      name: "A10.others", title: "mounts that came and went leave what was not read provable", expected: .own),
    .init(
      name: "A11", title: "descriptors from outside: read, mapped, by a message", expected: .seen,
      agent: "do 1 fd-read 100 ; do 2 fd-map 101 ; do 3 fd-receive 102 ;",
      before: "inherit 100 $1 ; inherit 101 $2 ; handover 102 $3 ;", asks: ["$1", "$2", "$3"]),
    .init(
      name: "A11.held", title: "a descriptor from outside, held only", expected: .hazard, agent: "at 300",
      before: "inherit 100 $1 ;", asks: ["$1"]),
    .init(name: "A12", title: "a file system mounted after the start", expected: .own),
    .init(name: "A12.loop", title: "a loop device over an image", expected: .own),
    .init(
      name: "A12.own", title: "a tmpfs in a namespace of its own changes nothing for others", expected: .nothing,
      agent: "do 1 own-tmpfs $M ;", asks: ["$1"]),
    .init(name: "A12b", title: "a file system in user space (bindfs)", expected: .own),
    .init(
      name: "A13", title: "the raw block device", expected: .own),
    .init(
      name: "A14", title: "another process's environment", expected: .hazard,
      agent: "at 300 do 2 read /proc/31901/environ ;", bystander: "pid 31901 { do 1 read $1 ; at 700 }", asks: ["$1"]),
    .init(
      name: "A14.gone", title: "the environment of one that is gone at once", expected: .hazard,
      agent: "at 300 do 2 read /proc/31905/environ ;", bystander: "pid 31905 { do 1 read $1 ; at 310 }", asks: ["$1"]),
    .init(
      name: "A14.own", title: "a session's own environment, and what others read of others", expected: .nothing,
      agent: "at 300 do 2 read /proc/self/environ ; do 3 read /proc/thread-self/environ ; at 700",
      bystander: "pid 31906 { do 1 read $1 ; at 700 } ; at 500 do 4 read /proc/31906/environ ;", asks: ["$1"]),
    .init(
      name: "A15", title: "failed opens are no accesses", expected: .nothing,
      agent: each("fail-below fail-exclusive fail-directory") + " nobody { do 4 read $P ; }"),
    .init(
      name: "A15.told", title: "failed opens are told with their errno", expected: .denied,
      agent: "nobody { do 4 read $P ; }", asks: ["$P"], needsAudit: true, note: "EACCES"),
    .init(
      name: "A16", title: "a copy elsewhere", expected: .limit, agent: "do 1 copy-range $1 $2 ; do 2 read $2 ;",
      asks: ["$3"], note: "copies of the content"),
    .init(
      name: "A17", title: "hostile names", expected: .seen, agent: each("read read read read read read read read read")),
    .init(
      name: "A17.deep", title: "a path of more than 4,096 bytes", expected: .block, agent: "do 1 deep $D ;",
      asks: ["$D/"]),
    .init(name: "A18", title: "metadata only", expected: .limit, agent: each("stat"), note: "metadata"),
    .init(
      name: "A19", title: "a close alone: it was held, and that is no access", expected: .hazard,
      agent: "at 300 do 1 fd-close 100 ;", before: "inherit 100 $1 ;", asks: ["$1"]),
    .init(
      name: "A20", title: "content handed over", expected: .limit, agent: "at 1", asks: ["$1"],
      note: "content handed to the agent"),
  ]
}
