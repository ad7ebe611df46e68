// io_uring by its system calls: liburing is not a dependency for one test.
#include "actions.h"

#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

struct ring {
  int fd, polled;
  unsigned *sq_tail, *sq_mask, *sq_flags, *sq_array, *cq_head, *cq_tail, *cq_mask;
  struct io_uring_sqe *entries;
  struct io_uring_cqe *results;
};

static int set_up(struct ring *ring, int polled) {
  struct io_uring_params params;
  memset(&params, 0, sizeof params);
  if (polled) {
    params.flags = IORING_SETUP_SQPOLL;
    params.sq_thread_idle = 1000;
  }
  TRY(ring->fd = (int)syscall(SYS_io_uring_setup, 4, &params));
  ring->polled = polled;
  int access = PROT_READ | PROT_WRITE, kind = MAP_SHARED | MAP_POPULATE;
  size_t sq_room = params.sq_off.array + params.sq_entries * sizeof(unsigned);
  size_t cq_room = params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe);
  char *sq = mmap(NULL, sq_room, access, kind, ring->fd, IORING_OFF_SQ_RING);
  char *cq = mmap(NULL, cq_room, access, kind, ring->fd, IORING_OFF_CQ_RING);
  void *entries = mmap(
    NULL, params.sq_entries * sizeof(struct io_uring_sqe), access, kind, ring->fd, IORING_OFF_SQES);
  if (sq == MAP_FAILED || cq == MAP_FAILED || entries == MAP_FAILED) return errno;
  ring->sq_tail = (unsigned *)(sq + params.sq_off.tail);
  ring->sq_mask = (unsigned *)(sq + params.sq_off.ring_mask);
  ring->sq_flags = (unsigned *)(sq + params.sq_off.flags);
  ring->sq_array = (unsigned *)(sq + params.sq_off.array);
  ring->cq_head = (unsigned *)(cq + params.cq_off.head);
  ring->cq_tail = (unsigned *)(cq + params.cq_off.tail);
  ring->cq_mask = (unsigned *)(cq + params.cq_off.ring_mask);
  ring->results = (struct io_uring_cqe *)(cq + params.cq_off.cqes);
  ring->entries = entries;
  return 0;
}

// Submits one entry and waits for its result.
static int submit(struct ring *ring, const struct io_uring_sqe *entry) {
  unsigned tail = *ring->sq_tail, index = tail & *ring->sq_mask;
  ring->entries[index] = *entry;
  ring->sq_array[index] = index;
  __atomic_store_n(ring->sq_tail, tail + 1, __ATOMIC_SEQ_CST);
  unsigned flags = IORING_ENTER_GETEVENTS;
  if (ring->polled && (__atomic_load_n(ring->sq_flags, __ATOMIC_SEQ_CST) & IORING_SQ_NEED_WAKEUP))
    flags |= IORING_ENTER_SQ_WAKEUP;
  if (syscall(SYS_io_uring_enter, ring->fd, 1, 1, flags, NULL, 0) < 0) return -errno;
  unsigned head = *ring->cq_head;
  while (__atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE) == head) usleep(100);
  int result = ring->results[head & *ring->cq_mask].res;
  __atomic_store_n(ring->cq_head, head + 1, __ATOMIC_RELEASE);
  return result;
}

int act_ring(const struct job *job) {
  struct ring ring;
  int failed = set_up(&ring, job->number == 2);
  if (failed) return failed;
  struct io_uring_sqe entry;
  memset(&entry, 0, sizeof entry);
  entry.opcode = IORING_OP_OPENAT;
  entry.flags = job->number == 1 ? IOSQE_ASYNC : 0;
  entry.fd = AT_FDCWD;
  entry.addr = (uint64_t)(uintptr_t)job->name;
  entry.open_flags = O_RDONLY;
  int file = submit(&ring, &entry);
  if (file < 0) return -file;
  char bytes[64];
  memset(&entry, 0, sizeof entry);
  entry.opcode = IORING_OP_READ;
  entry.flags = job->number == 1 ? IOSQE_ASYNC : 0;
  entry.fd = file;
  entry.addr = (uint64_t)(uintptr_t)bytes;
  entry.len = sizeof bytes;
  int count = submit(&ring, &entry);
  return count < 0 ? -count : 0;
}
