// Descriptors that another process opened.
#include "actions.h"

#include <linux/aio_abi.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static int map_inherited(const struct job *job) {
  volatile char *page = mmap(NULL, 4096, job->number, MAP_SHARED, job->descriptor, 0);
  if (page == MAP_FAILED) return errno;
  char first = page[0];
  if (job->number & PROT_WRITE) page[0] = first;
  return 0;
}

static int read_async(int fd) {
  aio_context_t context = 0;
  char bytes[64];
  struct iocb request, *list = &request;
  struct io_event event;
  memset(&request, 0, sizeof request);
  request.aio_lio_opcode = IOCB_CMD_PREAD;
  request.aio_fildes = (uint32_t)fd;
  request.aio_buf = (uint64_t)(uintptr_t)bytes;
  request.aio_nbytes = sizeof bytes;
  TRY(syscall(SYS_io_setup, 1, &context));
  TRY(syscall(SYS_io_submit, context, 1, &list));
  TRY(syscall(SYS_io_getevents, context, 1, 1, &event, NULL));
  return event.res > 0 ? 0 : event.res < 0 ? (int)-event.res : ENODATA;
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
    case ActionReadAsync: return read_async(job->descriptor);
    case ActionReceiveAndRead: return pass(job);
    case ActionHolderCloses: return holder_closes(job);
    default: return EINVAL;
  }
}
