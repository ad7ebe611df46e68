// One call of each kind that audit rules are about. Most need not succeed: a record tells how it ended.
#include "actions.h"

#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>

enum { nobody = 65534 };

static int become_nobody(void) { return setresuid(nobody, nobody, nobody) < 0 ? errno : 0; }

// 0 if it fails with what is expected.
static int fails(long result, int expected) { return result >= 0 ? EEXIST : errno == expected ? 0 : errno; }

static int denied_open(const struct job *job) {
  int failed = become_nobody();
  return failed ? failed : fails(open(job->other, O_RDONLY), EACCES);
}

static int denied_create(const struct job *job) {
  int failed = become_nobody();
  return failed ? failed : fails(creat(job->other, 0600), EACCES);
}

static int denied_unlink(const struct job *job) {
  int failed = become_nobody();
  return failed ? failed : fails(unlink(job->other), EACCES);
}

static int denied_execute(const struct job *job) {
  char *arguments[] = {(char *)job->other, NULL};
  return fails(execv(job->other, arguments), EACCES);
}

static void *open_it(void *path) {
  (void)open(path, O_RDONLY);
  return NULL;
}

static int denied_thread(const struct job *job) {
  pthread_t thread;
  int failed = become_nobody();
  if (failed) return failed;
  failed = pthread_create(&thread, NULL, open_it, (void *)job->other);
  return failed ? failed : pthread_join(thread, NULL);
}

static int become(const struct job *job) { return (void)job, become_nobody(); }

static int give_up(const struct job *job) {
  (void)job;
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2] = {{0}};
  return syscall(SYS_capset, &header, data) < 0 ? errno : 0;
}

// Does something to a child that waits, which is killed afterwards; note 0 is its pid.
static int to_another(int (*what)(pid_t)) {
  pid_t child = fork();
  if (child < 0) return errno;
  if (child == 0) {
    pause();
    _exit(0);
  }
  act_notes[0] = child;
  int failed = what(child);
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
  return failed;
}

static int seize(pid_t child) { return ptrace(PTRACE_SEIZE, child, NULL, NULL) < 0 ? errno : 0; }

static int attach(pid_t child) { return ptrace(PTRACE_ATTACH, child, NULL, NULL) < 0 ? errno : 0; }

static int read_memory(pid_t child) {
  char here, there;
  struct iovec into = {&here, 1}, from = {&there, 1};
  return process_vm_readv(child, &into, 1, &from, 1, 0) < 0 ? errno : 0;
}

static int write_memory(pid_t child) {
  static char there;
  char path[32];
  snprintf(path, sizeof path, "/proc/%d/mem", child);
  int memory = open(path, O_RDWR);
  return memory < 0 || pwrite(memory, "x", 1, (off_t)(uintptr_t)&there) != 1 ? errno : 0;
}

static int take_descriptor(pid_t child) {
  int process = (int)syscall(SYS_pidfd_open, child, 0);
  if (process < 0) return errno;
  return syscall(SYS_pidfd_getfd, process, STDOUT_FILENO, 0) < 0 ? errno : 0;
}

static int tracer(const struct job *job) { return (void)job, to_another(seize); }
static int old_tracer(const struct job *job) { return (void)job, to_another(attach); }
static int reader(const struct job *job) { return (void)job, to_another(read_memory); }
static int writer(const struct job *job) { return (void)job, to_another(write_memory); }
static int taker(const struct job *job) { return (void)job, to_another(take_descriptor); }

static int traced(const struct job *job) {
  (void)job;
  return ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 ? errno : 0;
}

static int by_handle(const struct job *job) {
  struct { struct file_handle head; char room[128]; } handle = {.head = {.handle_bytes = 128}};
  int mount;
  if (name_to_handle_at(AT_FDCWD, job->other, &handle.head, &mount, 0) < 0) return errno;
  int directory = open(".", O_RDONLY | O_DIRECTORY);
  return open_by_handle_at(directory, &handle.head, O_RDONLY) < 0 ? errno : 0;
}

static int do_mount(const struct job *job) {
  if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) return errno;
  return mount("none", job->other, "tmpfs", 0, "size=4k") < 0 ? errno : 0;
}

static int join(const struct job *job) {
  (void)job;
  int own = open("/proc/self/ns/uts", O_RDONLY);
  return own < 0 || setns(own, 0) < 0 ? errno : 0;
}

static int module(const struct job *job) {
  (void)job;
  return syscall(SYS_init_module, NULL, 0, "") < 0 ? 0 : EEXIST;
}

static int program(const struct job *job) {
  (void)job;
  return syscall(SYS_bpf, 5, NULL, 0) < 0 ? 0 : EEXIST;
}

static int block(const struct job *job) {
  // A node of a driver that is in every kernel; whether it has a device behind it does not matter.
  if (mknod(job->other, S_IFBLK | 0600, makedev(7, 250)) < 0) return errno;
  (void)open(job->other, O_RDONLY);
  return 0;
}

static int try_connect(int family, const void *address, socklen_t length) {
  int fd = socket(family, SOCK_STREAM, 0);
  if (fd < 0) return errno;
  (void)connect(fd, address, length);
  return 0;
}

static int local(const struct job *job) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, job->other, sizeof address.sun_path - 1);
  return try_connect(AF_UNIX, &address, sizeof address);
}

static int abstract(const struct job *job) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  size_t length = strlen(job->other);
  memcpy(address.sun_path + 1, job->other, length);
  return try_connect(AF_UNIX, &address, (socklen_t)(sizeof address.sun_family + 1 + length));
}

static int loopback(const struct job *job) {
  (void)job;
  struct sockaddr_in address = {AF_INET, htons(9), {htonl(INADDR_LOOPBACK)}, {0}};
  return try_connect(AF_INET, &address, sizeof address);
}

static int loopback6(const struct job *job) {
  (void)job;
  struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(9), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  return try_connect(AF_INET6, &address, sizeof address);
}

// Somebody else connects: whoever accepts is told, whatever the kind of socket.
static int accepting(const struct job *job) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path + 1, job->other, sizeof address.sun_path - 2);
  int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (server < 0 || bind(server, (void *)&address, sizeof address) < 0 || listen(server, 1) < 0) return errno;
  pid_t child = fork();
  if (child == 0) {
    int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    _exit(connect(client, (void *)&address, sizeof address) < 0);
  }
  int accepted = accept4(server, NULL, NULL, SOCK_CLOEXEC);
  waitpid(child, NULL, 0);
  return accepted < 0 ? errno : 0;
}

static int keys(const struct job *job) {
  (void)job;
  int master = posix_openpt(O_RDWR | O_NOCTTY);
  if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0) return errno;
  int terminal = open(ptsname(master), O_RDWR | O_NOCTTY);
  return terminal < 0 || ioctl(terminal, TIOCSTI, "x") < 0 ? errno : 0;
}

static int libaio(const struct job *job) {
  (void)job;
  unsigned long context = 0;
  return syscall(SYS_io_setup, 1, &context) < 0 ? errno : 0;
}

static int listener(const struct job *job) {
  (void)job;
  return fanotify_init(FAN_CLASS_NOTIF, O_RDONLY) < 0 ? errno : 0;
}

static int perf(const struct job *job) {
  (void)job;
  return syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0) < 0 ? 0 : EEXIST;
}

static int clock_set(const struct job *job) {
  (void)job;
  // Refused, so that nothing is set.
  struct timespec time = {0, -1};
  return fails(syscall(SYS_clock_settime, CLOCK_REALTIME, &time), EINVAL);
}

// The error that a request to audit ends with.
static int ask_audit(void) {
  int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT);
  if (fd < 0) return errno;
  struct nlmsghdr request = {.nlmsg_len = sizeof request, .nlmsg_type = AUDIT_GET, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK};
  struct { struct nlmsghdr head; struct nlmsgerr error; char rest[64]; } answer;
  struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
  if (sendto(fd, &request, sizeof request, 0, (struct sockaddr *)&kernel, sizeof kernel) < 0) return errno;
  if (recv(fd, &answer, sizeof answer, 0) < 0) return errno;
  return answer.head.nlmsg_type == NLMSG_ERROR ? -answer.error.error : 0;
}

static int audit_as_nobody(const struct job *job) {
  (void)job;
  int failed = become_nobody();
  return failed ? failed : ask_audit();
}

static int audit_in_namespace(const struct job *job) {
  (void)job;
  return unshare(CLONE_NEWUSER) < 0 ? errno : ask_audit();
}

static int audit_listening(const struct job *job) {
  (void)job;
  int failed = become_nobody();
  if (failed) return failed;
  int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT);
  struct sockaddr_nl group = {.nl_family = AF_NETLINK, .nl_groups = 1 << (AUDIT_NLGRP_READLOG - 1)};
  return fd < 0 || bind(fd, (struct sockaddr *)&group, sizeof group) < 0 ? errno : 0;
}

// Takes the audit daemon's place with an inherited socket, and ends.
static int register_audit(const struct job *job) {
  struct { struct nlmsghdr head; struct audit_status status; } request = {
      .head = {.nlmsg_len = sizeof request, .nlmsg_type = AUDIT_SET, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
      .status = {.mask = AUDIT_STATUS_PID, .pid = (unsigned)getpid()}};
  struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
  struct { struct nlmsghdr head; struct nlmsgerr error; char rest[128]; } answer;
  if (sendto(job->descriptor, &request, sizeof request, 0, (struct sockaddr *)&kernel, sizeof kernel) < 0) return errno;
  for (int i = 0; i < 100; i++) {
    if (recv(job->descriptor, &answer, sizeof answer, 0) < 0) return errno;
    if (answer.head.nlmsg_type == NLMSG_ERROR) return -answer.error.error;
  }
  return EIO;
}

static const struct { const char *name; int (*run)(const struct job *); } calls[] = {
  {"denied-open", denied_open}, {"denied-create", denied_create}, {"denied-unlink", denied_unlink},
  {"denied-execute", denied_execute}, {"denied-thread", denied_thread}, {"become", become}, {"capset", give_up},
  {"seize", tracer}, {"attach", old_tracer}, {"traceme", traced}, {"read-memory", reader}, {"write-memory", writer},
  {"getfd", taker},
  {"handle", by_handle}, {"mount", do_mount}, {"setns", join}, {"module", module}, {"bpf", program},
  {"block", block}, {"connect-unix", local}, {"connect-abstract", abstract}, {"connect-4", loopback},
  {"connect-6", loopback6}, {"accept", accepting}, {"keys", keys}, {"libaio", libaio}, {"fanotify", listener}, {"perf", perf}, {"clock", clock_set},
  {"audit-nobody", audit_as_nobody}, {"audit-namespace", audit_in_namespace}, {"audit-listen", audit_listening},
  {"audit-register", register_audit},
};

int act_call(const struct job *job) {
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
    if (!strcmp(calls[i].name, job->name)) return calls[i].run(job);
  return ENOSYS;
}
