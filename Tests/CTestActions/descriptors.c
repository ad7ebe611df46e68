// Descriptors that another process opened.
#include "actions.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

static int map_inherited(const struct job *job) {
  volatile char *page = mmap(NULL, 4096, job->number, MAP_SHARED, job->descriptor, 0);
  if (page == MAP_FAILED) return errno;
  char first = page[0];
  if (job->number & PROT_WRITE) page[0] = first;
  return 0;
}

static int send_descriptor(int socket, int fd) {
  char byte = 0, control[CMSG_SPACE(sizeof fd)];
  struct iovec part = {&byte, 1};
  struct msghdr message = {
    .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof fd);
  memcpy(CMSG_DATA(header), &fd, sizeof fd);
  TRY(sendmsg(socket, &message, 0));
  return 0;
}

static int receive_and_read(int socket) {
  int fd;
  char byte, bytes[64], control[CMSG_SPACE(sizeof fd)];
  struct iovec part = {&byte, 1};
  struct msghdr message = {
    .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  TRY(recvmsg(socket, &message, 0));
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (header == NULL) return EBADMSG;
  memcpy(&fd, CMSG_DATA(header), sizeof fd);
  TRY(read(fd, bytes, sizeof bytes));
  return 0;
}

// The receiver is forked before the file is opened, so it can have the descriptor from the socket only.
static int pass(const struct job *job) {
  int ends[2], fd, status;
  pid_t receiver;
  TRY(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends));
  TRY(receiver = fork());
  if (receiver == 0) _exit(receive_and_read(ends[1]));
  act_notes[0] = receiver;
  TRY(fd = open(job->name, O_RDONLY));
  int failed = send_descriptor(ends[0], fd);
  TRY(waitpid(receiver, &status, 0));
  return failed ? failed : WEXITSTATUS(status);
}

static int holder_closes(const struct job *job) {
  int fd;
  pid_t holder;
  TRY(fd = open(job->name, O_RDWR));
  TRY(holder = fork());
  if (holder == 0) {
    usleep(30000);
    close(fd);
    _exit(0);
  }
  act_notes[0] = holder;
  return 0;
}

int act_descriptor(Action action, const struct job *job) {
  char bytes[64];
  switch (action) {
    case ActionReadInherited: TRY(read(job->descriptor, bytes, sizeof bytes)); return 0;
    case ActionMapInherited: return map_inherited(job);
    case ActionReceiveAndRead: return pass(job);
    case ActionHolderCloses: return holder_closes(job);
    default: return EINVAL;
  }
}
