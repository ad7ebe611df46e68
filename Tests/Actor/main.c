// What processes do to escape a monitor, done for real. A test starts it as a descendant of a stand-in agent.
//
//   alibi-actor ACTION ARGUMENTS...
//
// Exit status 0 when the deed was done; 1 with a word about errno when not.
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void die(const char *what) {
  fprintf(stderr, "alibi-actor: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void read_file(const char *path) {
  char buffer[4096];
  int fd = open(path, O_RDONLY);
  if (fd < 0) die(path);
  if (read(fd, buffer, sizeof buffer) < 0) die("read");
  close(fd);
}

// A grandchild in a session of its own, its parent dead, reads the file.
static void double_fork(const char *path) {
  pid_t child = fork();
  if (child < 0) die("fork");
  if (child == 0) {
    setsid();
    pid_t grandchild = fork();
    if (grandchild < 0) _exit(1);
    if (grandchild == 0) {
      read_file(path);
      _exit(0);
    }
    _exit(0);
  }
  int status;
  waitpid(child, &status, 0);
  if (status != 0) exit(1);
}

// COUNT grandchildren, each reading DIR/INDEX. A byte on a pipe says that one is done: nobody can wait for it.
static void storm(const char *directory, int count) {
  int done[2];
  if (pipe(done) < 0) die("pipe");
  int running = 0;
  for (int index = 0; index < count; index++) {
    pid_t child = fork();
    if (child < 0) die("fork");
    if (child == 0) {
      setsid();
      pid_t grandchild = fork();
      if (grandchild == 0) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%d", directory, index);
        int fd = open(path, O_RDONLY);
        char byte = 'x';
        if (fd < 0 || read(fd, &byte, 1) != 1) byte = '!';
        if (write(done[1], &byte, 1) != 1) _exit(1);
        _exit(0);
      }
      _exit(grandchild < 0);
    }
    waitpid(child, NULL, 0);
    running++;
    char byte;
    while (running > 64 || (running > 0 && index == count - 1)) {
      if (read(done[0], &byte, 1) != 1) die("pipe");
      if (byte == '!') die("a grandchild");
      running--;
    }
  }
}

static void *read_later(void *path) {
  usleep(200000);
  read_file(path);
  exit(0);
}

// The main thread ends; another reads.
static void leader_exit(char *path) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, read_later, path) != 0) die("pthread_create");
  pthread_exit(NULL);
}

static void *exec_cat(void *path) {
  execl("/bin/cat", "cat", (char *)path, NULL);
  exit(1);
}

// Another thread than the leader executes.
static void thread_exec(char *path) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, exec_cat, path) != 0) die("pthread_create");
  pause();
}

// A child that appears as its grandparent's.
static void clone_parent(const char *path) {
  int ready[2];
  if (pipe(ready) < 0) die("pipe");
  pid_t child = (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, NULL);
  if (child < 0) die("clone");
  if (child == 0) {
    read_file(path);
    if (write(ready[1], "x", 1) != 1) _exit(1);
    _exit(0);
  }
  char byte;
  if (read(ready[0], &byte, 1) != 1) die("pipe");
}

// A program that no file system holds.
static void memfd_exec(char *path) {
  int source = open("/bin/cat", O_RDONLY);
  int target = memfd_create("program", 0);
  struct stat info;
  if (source < 0 || target < 0 || fstat(source, &info) < 0) die("memfd");
  off_t offset = 0;
  while (offset < info.st_size)
    if (syscall(SYS_sendfile, target, source, &offset, (size_t)(info.st_size - offset)) < 0) die("sendfile");
  char *arguments[] = {"cat", path, NULL};
  char *environment[] = {NULL};
  fexecve(target, arguments, environment);
  die("fexecve");
}

// Maps what it inherited as standard input.
static void map_stdin(void) {
  struct stat info;
  if (fstat(0, &info) < 0) die("fstat");
  volatile char *bytes = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_SHARED, 0, 0);
  if (bytes == MAP_FAILED) die("mmap");
  (void)bytes[0];
}

// A child that was forked without an exec keeps a mapping of the file, closed long since, for some seconds.
static void hold_map(const char *path, unsigned seconds) {
  int fd = open(path, O_RDONLY);
  struct stat info;
  if (fd < 0 || fstat(fd, &info) < 0) die(path);
  volatile char *bytes = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (bytes == MAP_FAILED) die("mmap");
  close(fd);
  pid_t child = fork();
  if (child < 0) die("fork");
  if (child != 0) return;
  setsid();
  sleep(seconds);
  _exit(bytes[0] == 0);
}

// Makes COUNT directories of 200 bytes each within one another, step by step, and reads a file in the innermost:
// no system call takes its path.
static void deep_read(const char *directory, int count) {
  char name[201];
  memset(name, 'd', 200);
  name[200] = 0;
  int at = open(directory, O_RDONLY | O_DIRECTORY);
  if (at < 0) die(directory);
  for (int depth = 0; depth < count; depth++) {
    if (mkdirat(at, name, 0755) < 0 && errno != EEXIST) die("mkdirat");
    int next = openat(at, name, O_RDONLY | O_DIRECTORY);
    if (next < 0) die("openat");
    close(at);
    at = next;
  }
  int fd = openat(at, "deep.txt", O_RDWR | O_CREAT, 0644);
  char byte = 'x';
  if (fd < 0 || write(fd, &byte, 1) != 1 || pread(fd, &byte, 1, 0) != 1) die("deep.txt");
}

static void tmpfile_link(const char *directory, const char *name) {
  int fd = open(directory, O_TMPFILE | O_RDWR, 0644);
  if (fd < 0) die("O_TMPFILE");
  if (write(fd, "x", 1) != 1) die("write");
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  if (linkat(AT_FDCWD, link, AT_FDCWD, name, AT_SYMLINK_FOLLOW) < 0) die("linkat");
}

// Another monitor: says of each event on the file system at PATH `MASK PID NAME`, until somebody ends it.
static void listen_to(const char *path) {
  int group = fanotify_init(FAN_CLASS_NOTIF | FAN_REPORT_DFID_NAME | FAN_UNLIMITED_QUEUE, 0);
  if (group < 0) die("fanotify_init");
  uint64_t mask = FAN_OPEN | FAN_ACCESS | FAN_MODIFY | FAN_CLOSE | FAN_CREATE | FAN_DELETE | FAN_MOVE | FAN_ATTRIB;
  if (fanotify_mark(group, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, mask, AT_FDCWD, path) < 0) die("fanotify_mark");
  setvbuf(stdout, NULL, _IOLBF, 0);
  printf("listening\n");
  static char buffer[65536] __attribute__((aligned(8)));
  for (;;) {
    ssize_t have = read(group, buffer, sizeof buffer);
    if (have < 0) die("read");
    struct fanotify_event_metadata *event = (void *)buffer;
    for (; FAN_EVENT_OK(event, have); event = FAN_EVENT_NEXT(event, have)) {
      const char *name = "?";
      if (event->event_len > sizeof *event) {
        struct fanotify_event_info_fid *info = (void *)(event + 1);
        struct file_handle *handle = (void *)info->handle;
        if (info->hdr.info_type == FAN_EVENT_INFO_TYPE_DFID_NAME)
          name = (const char *)handle->f_handle + handle->handle_bytes;
      }
      printf("%llx %d %s\n", (unsigned long long)event->mask, event->pid, name);
    }
  }
}

int main(int count, char **words) {
  if (count < 2) return 64;
  const char *action = words[1];
  if (!strcmp(action, "read") && count == 3) read_file(words[2]);
  else if (!strcmp(action, "double-fork") && count == 3) double_fork(words[2]);
  else if (!strcmp(action, "storm") && count == 4) storm(words[2], atoi(words[3]));
  else if (!strcmp(action, "leader-exit") && count == 3) leader_exit(words[2]);
  else if (!strcmp(action, "thread-exec") && count == 3) thread_exec(words[2]);
  else if (!strcmp(action, "clone-parent") && count == 3) clone_parent(words[2]);
  else if (!strcmp(action, "memfd-exec") && count == 3) memfd_exec(words[2]);
  else if (!strcmp(action, "map-stdin") && count == 2) map_stdin();
  else if (!strcmp(action, "hold-map") && count == 4) hold_map(words[2], (unsigned)atoi(words[3]));
  else if (!strcmp(action, "deep-read") && count == 4) deep_read(words[2], atoi(words[3]));
  else if (!strcmp(action, "listen") && count == 3) listen_to(words[2]);
  else if (!strcmp(action, "tmpfile-link") && count == 4) tmpfile_link(words[2], words[3]);
  else return 64;
  return 0;
}
