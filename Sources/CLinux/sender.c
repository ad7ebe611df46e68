// A process that talks to the network and may do nothing else.
#define _GNU_SOURCE 1
#include "CLinux.h"

#include <grp.h>
#include <linux/capability.h>
#include <netdb.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

int cl_message_pair(int *ours, int *theirs) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) return -1;
  *ours = ends[0];
  *theirs = ends[1];
  return 0;
}

ssize_t cl_message_send(int fd, const uint8_t *from, size_t count, int waits) {
  return send(fd, from, count, MSG_NOSIGNAL | MSG_EOR | (waits ? 0 : MSG_DONTWAIT));
}

ssize_t cl_message_receive(int fd, uint8_t *into, size_t room, int waits) {
  // MSG_TRUNC: the length that the message has, so that a longer one shows.
  return recv(fd, into, room, MSG_TRUNC | (waits ? 0 : MSG_DONTWAIT));
}

int cl_udp_send(const char *host, const char *port, const uint8_t *from, size_t count) {
  struct addrinfo hints = {.ai_socktype = SOCK_DGRAM}, *found;
  if (getaddrinfo(host, port, &hints, &found) != 0) {
    errno = EHOSTUNREACH;
    return -1;
  }
  int error = EHOSTUNREACH;
  for (struct addrinfo *each = found; each; each = each->ai_next) {
    int fd = socket(each->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
      error = errno;
      continue;
    }
    ssize_t sent = sendto(fd, from, count, 0, each->ai_addr, each->ai_addrlen);
    error = sent < 0 ? errno : 0;
    close(fd);
    if (error == 0) break;
  }
  freeaddrinfo(found);
  errno = error;
  return error ? -1 : 0;
}

int cl_unix_send(const char *path, const uint8_t *from, size_t count) {
  int fd = cl_unix_connect(path, SOCK_DGRAM);
  if (fd < 0) return -1;
  // Never waits for a logger that has stopped reading.
  ssize_t sent = send(fd, from, count, MSG_NOSIGNAL | MSG_DONTWAIT);
  int error = errno;
  close(fd);
  errno = error;
  return sent < 0 ? -1 : 0;
}

int cl_become(unsigned user, unsigned group) {
  struct rlimit none = {0, 0}, few = {64, 64};
  if (user == 0 || group == 0) {
    errno = EINVAL;
    return -1;
  }
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return -1;
  for (int each = 0; prctl(PR_CAPBSET_READ, each, 0, 0, 0) >= 0; each++)
    if (prctl(PR_CAPBSET_DROP, each, 0, 0, 0) < 0) return -1;
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0) return -1;
  if (setgroups(0, NULL) < 0 || setresgid(group, group, group) < 0 || setresuid(user, user, user) < 0) return -1;
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[2];
  memset(data, 0, sizeof data);
  if (syscall(SYS_capset, &header, data) < 0) return -1;
  // No file of any length, no core, few descriptors; and nobody of the same user may look into its memory.
  if (setrlimit(RLIMIT_FSIZE, &none) < 0 || setrlimit(RLIMIT_CORE, &none) < 0 || setrlimit(RLIMIT_NOFILE, &few) < 0)
    return -1;
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || chdir("/") < 0) return -1;
  if (geteuid() != user || getuid() != user || setuid(0) == 0) {
    errno = EPERM;
    return -1;
  }
  return 0;
}
