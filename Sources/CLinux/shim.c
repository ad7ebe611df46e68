#define _GNU_SOURCE 1
#include "CLinux.h"

#include <linux/close_range.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/syscall.h>

_Static_assert(sizeof(struct fanotify_event_metadata) == 24, "Decode reads 24 bytes");
_Static_assert(sizeof(struct perf_event_header) == 8, "Decode reads 8 bytes");
_Static_assert(sizeof(struct nlmsghdr) == 16, "Decode reads 16 bytes");
_Static_assert(sizeof(struct cn_msg) == 20, "Decode reads 20 bytes");
_Static_assert(offsetof(struct proc_event, event_data) == 16, "Decode reads the event after 16 bytes");

int cl_fanotify_init(unsigned flags, unsigned event_flags) { return fanotify_init(flags, event_flags); }

int cl_fanotify_mark(int fd, unsigned flags, uint64_t mask, int dir, const char *path) {
  return fanotify_mark(fd, flags, mask, dir, path);
}

int cl_perf_open_task_records(int cpu, uint32_t wakeup_bytes) {
  struct perf_event_attr attr;
  memset(&attr, 0, sizeof attr);
  attr.size = sizeof attr;
  attr.type = PERF_TYPE_SOFTWARE;
  attr.config = PERF_COUNT_SW_DUMMY;
  attr.task = 1;
  attr.comm = 1;
  attr.comm_exec = 1;
  attr.mmap = 1;
  attr.mmap2 = 1;
  attr.mmap_data = 1;
  attr.sample_id_all = 1;
  attr.sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_CPU;
  attr.use_clockid = 1;
  attr.clockid = CLOCK_MONOTONIC;
  attr.watermark = 1;
  attr.wakeup_watermark = wakeup_bytes;
  // PERF_FORMAT_LOST, Linux 6.0: an older kernel refuses it.
  attr.read_format = 1U << 4;
  int fd = (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
  if (fd >= 0 || errno != EINVAL) return fd;
  attr.read_format = 0;
  return (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

uint64_t cl_perf_head(const void *page) {
  const struct perf_event_mmap_page *ring = page;
  return __atomic_load_n(&ring->data_head, __ATOMIC_ACQUIRE);
}

void cl_perf_set_tail(void *page, uint64_t tail) {
  struct perf_event_mmap_page *ring = page;
  __atomic_store_n(&ring->data_tail, tail, __ATOMIC_RELEASE);
}

uint64_t cl_perf_data_offset(const void *page) {
  return ((const struct perf_event_mmap_page *)page)->data_offset;
}

uint64_t cl_perf_data_size(const void *page) { return ((const struct perf_event_mmap_page *)page)->data_size; }

int cl_name_to_handle(int dir, const char *path, struct cl_file_handle *out, int *mount_id, int flags) {
  out->handle_bytes = sizeof out->bytes;
  return (int)syscall(SYS_name_to_handle_at, dir, path, out, mount_id, flags);
}

int cl_open_by_handle(int mount_fd, int32_t type, const void *bytes, uint32_t count, int flags) {
  struct cl_file_handle handle;
  if (count > sizeof handle.bytes) {
    errno = EINVAL;
    return -1;
  }
  handle.handle_bytes = count;
  handle.handle_type = type;
  memcpy(handle.bytes, bytes, count);
  return (int)syscall(SYS_open_by_handle_at, mount_fd, &handle, flags);
}

int cl_connector_open(int receive_bytes) {
  int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_CONNECTOR);
  if (fd < 0) return -1;
  // Past the system's ceiling, which root may; a refusal leaves the default.
  (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &receive_bytes, sizeof receive_bytes);
  struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = CN_IDX_PROC};
  enum proc_cn_mcast_op operation = PROC_CN_MCAST_LISTEN;
  struct nlmsghdr header = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct cn_msg) + sizeof operation), .nlmsg_type = NLMSG_DONE};
  struct cn_msg message = {.id = {.idx = CN_IDX_PROC, .val = CN_VAL_PROC}, .len = sizeof operation};
  uint8_t request[sizeof header + sizeof message + sizeof operation];
  memcpy(request, &header, sizeof header);
  memcpy(request + sizeof header, &message, sizeof message);
  memcpy(request + sizeof header + sizeof message, &operation, sizeof operation);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || send(fd, request, sizeof request, 0) < 0) {
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
  }
  return fd;
}

ssize_t cl_connector_receive(int fd, void *into, size_t room) {
  struct sockaddr_nl from;
  socklen_t length = sizeof from;
  ssize_t count = recvfrom(fd, into, room, MSG_DONTWAIT, (struct sockaddr *)&from, &length);
  if (count < 0) return -1;
  // Only the kernel has port 0; anybody may send to a netlink socket of the connector's.
  return from.nl_pid == 0 ? count : 0;
}

uint64_t cl_fsid(const struct statfs *info) {
  uint64_t id;
  memcpy(&id, &info->f_fsid, sizeof id);
  return id;
}

int cl_memfd(const char *name) { return memfd_create(name, MFD_CLOEXEC); }

int cl_inherit_nothing(void) { return (int)syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC); }

int cl_pipe(int *output, int *input) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return -1;
  if (fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0) return -1;
  *output = ends[0];
  *input = ends[1];
  return 0;
}

int cl_epoll_add(int epoll, int fd, int priority, uint64_t tag) {
  struct epoll_event event = {.events = priority ? EPOLLPRI | EPOLLERR : EPOLLIN, .data.u64 = tag};
  return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

int cl_epoll_wait(int epoll, uint64_t *tags, int room, int milliseconds) {
  struct epoll_event events[32];
  int count = epoll_wait(epoll, events, room < 32 ? room : 32, milliseconds);
  for (int i = 0; i < count; i++) tags[i] = events[i].data.u64;
  return count;
}

void cl_name_thread(const char *name) { (void)pthread_setname_np(pthread_self(), name); }

static socklen_t unix_address(struct sockaddr_un *address, const char *path) {
  size_t length = strlen(path);
  if (length == 0 || length >= sizeof address->sun_path) {
    errno = ENAMETOOLONG;
    return 0;
  }
  memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  memcpy(address->sun_path, path, length);
  if (path[0] == '@') address->sun_path[0] = 0;
  return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (path[0] != '@'));
}

static int close_with(int fd, int error) {
  close(fd);
  errno = error;
  return -1;
}

int cl_unix_listen(const char *path, unsigned mode) {
  struct sockaddr_un address;
  socklen_t length = unix_address(&address, path);
  if (length == 0) return -1;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  (void)unlink(path);
  if (bind(fd, (struct sockaddr *)&address, length) < 0 || chmod(path, mode) < 0 || listen(fd, 16) < 0)
    return close_with(fd, errno);
  return fd;
}

int cl_unix_connect(const char *path, int type) {
  struct sockaddr_un address;
  socklen_t length = unix_address(&address, path);
  if (length == 0) return -1;
  int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  if (connect(fd, (struct sockaddr *)&address, length) < 0) return close_with(fd, errno);
  return fd;
}

int cl_notify(const char *path, const char *text) {
  int fd = cl_unix_connect(path, SOCK_DGRAM);
  if (fd < 0) return -1;
  ssize_t sent = send(fd, text, strlen(text), MSG_NOSIGNAL);
  if (sent < 0) return close_with(fd, errno);
  close(fd);
  return 0;
}

int cl_inotify_watch(const char *path, uint32_t mask) {
  int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  if (fd < 0) return -1;
  if (inotify_add_watch(fd, path, mask) < 0) return close_with(fd, errno);
  return fd;
}

int cl_lock_file(int fd) { return flock(fd, LOCK_EX | LOCK_NB); }
