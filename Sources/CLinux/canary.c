#define _GNU_SOURCE 1
#include "CLinux.h"

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

_Static_assert(sizeof(struct cl_canary_order) <= 4096, "an order is written to a pipe as a whole");

static uint64_t monotonic(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int touch(const struct cl_canary_order *order) {
  struct stat info;
  if (stat(order->path, &info) < 0) return errno;
  if (((uint64_t)major(info.st_dev) << 32 | minor(info.st_dev)) != order->device) return ESTALE;
  int writes = order->way >= 2;
  int fd = open(order->path, (writes ? O_TMPFILE | O_RDWR : O_RDONLY | O_DIRECTORY) | O_CLOEXEC, 0600);
  if (fd < 0 && order->way == 2) {
    writes = 0;
    fd = open(order->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  }
  if (fd < 0) return errno;
  int error = 0;
  char entries[1024];
  if (order->way == 1 && syscall(SYS_getdents64, fd, entries, sizeof entries) < 0) error = errno;
  if (writes && write(fd, "canary", 6) != 6) error = errno;
  close(fd);
  return error;
}

static void answer(int answers, const struct cl_canary_order *order, int error, uint64_t before) {
  struct cl_canary_answer said = {
    .device = order->device, .pid = getpid(), .error = error, .before = before, .after = monotonic()};
  // Fewer bytes than PIPE_BUF: whole, whoever else writes.
  if (write(answers, &said, sizeof said) != sizeof said) _exit(1);
}

static void carry_out(const struct cl_canary_order *order, int answers) {
  for (uint32_t below = 0; below < order->depth; below++) {
    pid_t child = fork();
    if (child < 0) {
      answer(answers, order, errno, monotonic());
      _exit(1);
    }
    if (child > 0) {
      if (below == 0) return;
      _exit(0);
    }
  }
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET((size_t)order->cpu, &cpus);
  // A CPU that has gone offline: any other one will do.
  (void)sched_setaffinity(0, sizeof cpus, &cpus);
  if (order->namespace_ && unshare(CLONE_NEWNS) < 0) {
    answer(answers, order, errno, monotonic());
    _exit(1);
  }
  uint64_t before = monotonic();
  answer(answers, order, touch(order), before);
  _exit(0);
}

void cl_canary_serve(int orders, int answers) {
  // Nobody waits for the dead, and none of them is left to an init that does not.
  signal(SIGCHLD, SIG_IGN);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  signal(SIGPIPE, SIG_DFL);
  // A service manager that stops all processes at once must not stop this one before the last canaries.
  signal(SIGINT, SIG_IGN);
  signal(SIGTERM, SIG_IGN);
  struct cl_canary_order order;
  while (1) {
    size_t have = 0;
    while (have < sizeof order) {
      ssize_t count = read(orders, (char *)&order + have, sizeof order - have);
      if (count < 0 && (errno == EINTR || errno == EAGAIN)) {
        struct pollfd wait = {.fd = orders, .events = POLLIN};
        poll(&wait, 1, -1);
        continue;
      }
      if (count <= 0) return;
      have += (size_t)count;
    }
    order.path[sizeof order.path - 1] = 0;
    carry_out(&order, answers);
  }
}
