// The netlink sockets of audit(8).
#define _GNU_SOURCE 1
#include "CLinux.h"

#include <stddef.h>
#include <string.h>

_Static_assert(sizeof(struct audit_rule_data) == 12 + 64 * 4 * 4 + 4, "AuditRule writes 1040 bytes before its texts");
_Static_assert(offsetof(struct audit_status, backlog_wait_time) == 36, "AuditStatus reads it after 36 bytes");
_Static_assert(NLMSG_HDRLEN == 16, "AuditRecord reads 16 bytes");

int cl_audit_open(int receive_bytes, int listens) {
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_AUDIT);
  if (fd < 0) return -1;
  // Past the system's ceiling, which root may; a refusal leaves the default.
  if (receive_bytes > 0) (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &receive_bytes, sizeof receive_bytes);
  struct sockaddr_nl address = {
      .nl_family = AF_NETLINK, .nl_groups = listens ? 1U << (AUDIT_NLGRP_READLOG - 1) : 0};
  if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) {
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
  }
  return fd;
}

int cl_audit_listen(int fd) {
  int group = AUDIT_NLGRP_READLOG;
  return setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group);
}

int cl_audit_is_listening(int fd) {
  struct sockaddr_nl own = {0};
  socklen_t length = sizeof own;
  if (getsockname(fd, (struct sockaddr *)&own, &length) != 0) return -1;
  return (own.nl_groups & (1u << (AUDIT_NLGRP_READLOG - 1))) != 0;
}

int cl_audit_send(int fd, uint16_t type, uint32_t number, const void *payload, uint32_t count) {
  struct nlmsghdr header = {
      .nlmsg_len = NLMSG_LENGTH(count), .nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
      .nlmsg_seq = number};
  struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
  struct iovec parts[2] = {{&header, sizeof header}, {(void *)payload, count}};
  struct msghdr message = {.msg_name = &kernel, .msg_namelen = sizeof kernel, .msg_iov = parts, .msg_iovlen = 2};
  return sendmsg(fd, &message, 0) < 0 ? -1 : 0;
}

ssize_t cl_audit_receive(int fd, void *into, size_t room) {
  struct sockaddr_nl from;
  socklen_t length = sizeof from;
  ssize_t count = recvfrom(fd, into, room, MSG_DONTWAIT | MSG_TRUNC, (struct sockaddr *)&from, &length);
  if (count < 0) return -1;
  if ((size_t)count > room) {
    errno = EMSGSIZE;
    return -1;
  }
  // Only the kernel has port 0.
  if (from.nl_pid != 0 || (size_t)count < sizeof(struct nlmsghdr)) return 0;
  // What the kernel sends to an audit daemon tells a length without the header; to everybody else, with it.
  uint32_t whole = (uint32_t)count;
  memcpy(into, &whole, sizeof whole);
  return count;
}

int cl_wait_readable(int fd, int milliseconds) {
  struct pollfd wanted = {.fd = fd, .events = POLLIN};
  return poll(&wanted, 1, milliseconds);
}
