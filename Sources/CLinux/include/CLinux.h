// What Swift cannot import by itself: variadic and function-like calls, structures newer than the C library's
// headers, and the ordered loads and stores of the perf ring buffer. Nothing here decides anything.
#ifndef CLINUX_H
#define CLINUX_H

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/connector.h>
#include <linux/cn_proc.h>
#include <linux/netlink.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

// fcntl(2) is variadic.
static inline int cl_close_on_exec(int fd) { return fcntl(fd, F_SETFD, FD_CLOEXEC); }
// A descriptor that cannot tell is read: it tells then.
static inline int cl_available(int fd) {
  int count = 0;
  return ioctl(fd, FIONREAD, &count) < 0 ? 1 : count;
}

static inline int cl_set_nonblocking(int fd) { return fcntl(fd, F_SETFL, O_NONBLOCK); }
static inline int cl_keep_on_exec(int fd) { return fcntl(fd, F_SETFD, 0); }

// errno is a macro in glibc.
static inline int cl_errno(void) { return errno; }

// open(2) is variadic.
static inline int cl_open(const char *path, int flags, unsigned mode) { return open(path, flags, mode); }
static inline int cl_openat(int dir, const char *path, int flags, unsigned mode) {
  return openat(dir, path, flags, mode);
}

int cl_fanotify_init(unsigned flags, unsigned event_flags);
int cl_fanotify_mark(int fd, unsigned flags, uint64_t mask, int dir, const char *path);

// A software dummy event of one CPU that records tasks and file mappings with CLOCK_MONOTONIC times.
int cl_perf_open_task_records(int cpu, uint32_t wakeup_bytes);
// data_head with acquire order, data_tail with release order: see "mmap layout" in perf_event_open(2).
uint64_t cl_perf_head(const void *page);
void cl_perf_set_tail(void *page, uint64_t tail);
uint64_t cl_perf_data_offset(const void *page);
uint64_t cl_perf_data_size(const void *page);

// A file handle with room for the kernel's largest (MAX_HANDLE_SZ).
struct cl_file_handle {
  uint32_t handle_bytes;
  int32_t handle_type;
  uint8_t bytes[128];
};
int cl_name_to_handle(int dir, const char *path, struct cl_file_handle *out, int *mount_id, int flags);
int cl_open_by_handle(int mount_fd, int32_t type, const void *bytes, uint32_t count, int flags);

// Joins the connector's process-event multicast group (NETLINK_CONNECTOR, CN_IDX_PROC).
int cl_connector_open(int receive_bytes);
// One datagram of the kernel's; -1 with errno, 0 for one that is not from the kernel.
ssize_t cl_connector_receive(int fd, void *into, size_t room);

// A socket of audit(8): for requests and for the records of an audit daemon, or one that only listens to the log.
int cl_audit_open(int receive_bytes, int listens);
// From now on also what everybody may read is received.
int cl_audit_listen(int fd);
int cl_audit_send(int fd, uint16_t type, uint32_t number, const void *payload, uint32_t count);
// One message of the kernel's, its nlmsg_len made the true one; -1 with errno, 0 for one that is not from the kernel.
ssize_t cl_audit_receive(int fd, void *into, size_t room);
// 1 when something is to be read, 0 when the time is over.
int cl_wait_readable(int fd, int milliseconds);

// f_fsid is a struct whose fields are private in glibc.
uint64_t cl_fsid(const struct statfs *info);
static inline ssize_t cl_readlink(const char *path, uint8_t *into, size_t room) {
  return readlink(path, (char *)into, room);
}
static inline ssize_t cl_read(int fd, uint8_t *into, size_t room) { return read(fd, into, room); }
static inline ssize_t cl_write(int fd, const uint8_t *from, size_t count) { return write(fd, from, count); }
int cl_memfd(const char *name);
// close_range(2): no descriptor but the standard three is left to a program that is executed.
int cl_inherit_nothing(void);
// pipe2(2): close on exec, and a reader that does not wait.
int cl_pipe(int *output, int *input);
void cl_name_thread(const char *name);

// epoll_event is packed and holds a union.
int cl_epoll_add(int epoll, int fd, int priority, uint64_t tag);
int cl_epoll_wait(int epoll, uint64_t *tags, int room, int milliseconds);

// Unix sockets: sockaddr_un's path is an array that Swift sees as a tuple of 108.
int cl_unix_listen(const char *path, unsigned mode);
int cl_unix_connect(const char *path, int type);
// A datagram to the service manager, sd_notify(3); a path that begins with '@' is abstract.
int cl_notify(const char *path, const char *text);
int cl_inotify_watch(const char *path, uint32_t mask);
int cl_lock_file(int fd);

// The canary: accesses of known time and process, for knowing that the witnesses see them. A process of its own takes
// orders from a pipe and has each one carried out by a descendant, which answers on the other pipe.
struct cl_canary_order {
  uint64_t device;     // major in the upper and minor in the lower 32 bits; another one there is ESTALE
  int32_t cpu;         // where it runs
  uint32_t depth;      // how many forks below, each parent gone at once; at least 1
  uint32_t way;        // 0 opens the directory, 1 lists it too, 3 writes a file without a name, 2 does where it can, else 0
  uint32_t namespace_; // 1: in a mount namespace of its own
  char path[4064];     // a directory, NUL-terminated; the whole is no more than PIPE_BUF
};
struct cl_canary_answer {
  uint64_t device;
  int32_t pid;     // who did it
  int32_t error;   // errno, or 0
  uint64_t before; // CLOCK_MONOTONIC, nanoseconds
  uint64_t after;
};
// Returns when nobody writes orders any more.
void cl_canary_serve(int orders, int answers);

// Two ends of a connection that keeps messages apart, SOCK_SEQPACKET; neither waits unless asked to.
int cl_message_pair(int *ours, int *theirs);
ssize_t cl_message_send(int fd, const uint8_t *from, size_t count, int waits);
// The message's length, which may be more than the room; 0 when nobody holds the other end.
ssize_t cl_message_receive(int fd, uint8_t *into, size_t room, int waits);
int cl_udp_send(const char *host, const char *port, const uint8_t *from, size_t count);
int cl_unix_send(const char *path, const uint8_t *from, size_t count);
// Becomes this user for ever, without groups or capabilities, and gives up what a sender does not need.
int cl_become(unsigned user, unsigned group);

#endif
