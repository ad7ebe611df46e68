internal import Anchoring
internal import Foundation
internal import FoundationNetworking
internal import Glibc
internal import LinuxKernel

// Carries letters for the service: it is the only process of it that talks to a network. It gives up root's rights
// before it reads its first letter, holds one end of a pair of sockets and nothing else, and ends with the other end.

guard CommandLine.arguments.count == 4, let raw = Int32(CommandLine.arguments[1]), raw > 2,
  let user = UInt32(CommandLine.arguments[2]), let group = UInt32(CommandLine.arguments[3])
else {
  let text = "alibi-sender: error: alibid starts this program\nalibi-sender: hint: man 8 alibid\n"
  _ = unsafe write(STDERR_FILENO, text, text.utf8.count)
  exit(EX_USAGE)
}
do throws(Errno) { try Rights.become(user: user, group: group) } catch {
  let text = "alibi-sender: error: root's rights cannot be given up: \(error)\n"
  _ = unsafe write(STDERR_FILENO, text, text.utf8.count)
  exit(EX_NOPERM)
}
Procfs.ignoreBrokenPipes()

let post = PostOffice(MessageChannel(adopting: OwnedDescriptor(adopting: raw, closingOnExec: true)))
post.run()
exit(0)
