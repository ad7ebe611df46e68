// Ways that go through other processes, or against the sensor.
#include "gauntlet.h"

#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

// word 0: a pid.
static int do_trace(const struct deed *deed) {
  pid_t pid = atoi(deed->word[0]);
  TRY(ptrace(PTRACE_SEIZE, pid, NULL, NULL));
  TRY(ptrace(PTRACE_INTERRUPT, pid, NULL, NULL));
  TRY(waitpid(pid, NULL, __WALL));
  TRY(ptrace(PTRACE_DETACH, pid, NULL, NULL));
  return 0;
}

// Writes what an agent writes of itself: word 0 is its configuration directory.
static int do_agent_file(const struct deed *deed) {
  char path[4200];
  int fd;
  snprintf(path, sizeof path, "%s/sessions", deed->word[0]);
  mkdir(deed->word[0], 0755);
  mkdir(path, 0755);
  snprintf(path, sizeof path, "%s/sessions/%d.json", deed->word[0], getpid());
  TRY(fd = open(path, O_WRONLY | O_CREAT, 0644));
  TRY(write(fd, "{}\n", 3));
  close(fd);
  return 0;
}

static int socket_at(const char *path, struct sockaddr_un *address) {
  memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  snprintf(address->sun_path, sizeof address->sun_path, "%s", path);
  return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

// Reads word 1 for whoever connects to word 0.
static int do_serve(const struct deed *deed) {
  struct sockaddr_un address;
  int door, guest;
  TRY(door = socket_at(deed->word[0], &address));
  TRY(bind(door, (struct sockaddr *)&address, sizeof address));
  TRY(listen(door, 1));
  TRY(guest = accept(door, NULL, NULL));
  int failed = read_path(deed->word[1]);
  TRY(write(guest, "served\n", 7));
  close(guest);
  close(door);
  return failed;
}

static int do_request(const struct deed *deed) {
  struct sockaddr_un address;
  char bytes[16];
  int door;
  TRY(door = socket_at(deed->word[0], &address));
  TRY(connect(door, (struct sockaddr *)&address, sizeof address));
  TRY(read(door, bytes, sizeof bytes));
  close(door);
  return 0;
}

// Reads word 1 for whoever writes to the FIFO word 0, which was there before the writer came.
static int do_fifo_serve(const struct deed *deed) {
  char bytes[16];
  int door;
  TRY(mkfifo(deed->word[0], 0666));
  TRY(door = open(deed->word[0], O_RDONLY | O_CLOEXEC));
  TRY(read(door, bytes, sizeof bytes));
  int failed = read_path(deed->word[1]);
  close(door);
  return failed;
}

static int do_fifo_request(const struct deed *deed) {
  int door;
  TRY(door = open(deed->word[0], O_WRONLY | O_CLOEXEC));
  TRY(write(door, "serve\n", 6));
  close(door);
  return 0;
}

// Writes a script to word 0 that reads word 1 when somebody runs it.
static int do_plant(const struct deed *deed) {
  int fd;
  TRY(fd = open(deed->word[0], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755));
  if (dprintf(fd, "#!/bin/sh\nread line < %s\nexit 0\n", deed->word[1]) < 0) return errno;
  close(fd);
  TRY(chmod(deed->word[0], 0755));
  return 0;
}

// What any user may do to the process connector: listen, and stop listening, for everybody.
static int do_silence(const struct deed *deed) {
  char order[NLMSG_SPACE(sizeof(struct cn_msg) + sizeof(enum proc_cn_mcast_op))];
  struct nlmsghdr *header = (struct nlmsghdr *)order;
  struct cn_msg *message = NLMSG_DATA(header);
  struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = CN_IDX_PROC};
  (void)deed;
  int door;
  TRY(door = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_CONNECTOR));
  TRY(bind(door, (struct sockaddr *)&address, sizeof address));
  enum proc_cn_mcast_op ops[] = {PROC_CN_MCAST_LISTEN, PROC_CN_MCAST_IGNORE, PROC_CN_MCAST_LISTEN};
  for (int i = 0; i < 3; i++) {
    memset(order, 0, sizeof order);
    header->nlmsg_len = NLMSG_LENGTH(sizeof *message + sizeof ops[i]);
    header->nlmsg_type = NLMSG_DONE;
    message->id.idx = CN_IDX_PROC;
    message->id.val = CN_VAL_PROC;
    message->len = sizeof ops[i];
    memcpy(message->data, &ops[i], sizeof ops[i]);
    TRY(send(door, order, header->nlmsg_len, 0));
    usleep(50000);
  }
  close(door);
  return 0;
}

const struct named_way other_ways[] = {
  {"trace", 1, do_trace}, {"agent-file", 1, do_agent_file}, {"serve", 2, do_serve}, {"request", 1, do_request},
  {"fifo-serve", 2, do_fifo_serve}, {"fifo-request", 1, do_fifo_request},
  {"plant", 2, do_plant}, {"silence", 0, do_silence}, {NULL, 0, NULL},
};
