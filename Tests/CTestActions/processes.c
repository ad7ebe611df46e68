#include "actions.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;
static const struct job *the_job;

static int execute(const struct job *job) {
  char *arguments[] = {(char *)job->name, (char *)job->other, NULL};
  execve(job->name, arguments, environ);
  return errno;
}

static void *execute_in_thread(void *unused) {
  (void)unused;
  _exit(execute(the_job));
}

static int execute_from_thread(const struct job *job) {
  pthread_t thread;
  the_job = job;
  errno = pthread_create(&thread, NULL, execute_in_thread, NULL);
  if (errno) return errno;
  pause();
  return 0;
}

static int execute_anonymous(const struct job *job) {
  int from, to;
  struct stat info;
  char *arguments[] = {(char *)job->name, NULL};
  TRY(from = open(job->name, O_RDONLY));
  TRY(to = memfd_create("anonymous", MFD_CLOEXEC));
  TRY(fstat(from, &info));
  TRY(sendfile(to, from, NULL, (size_t)info.st_size));
  fexecve(to, arguments, environ);
  return errno;
}

static void *read_later(void *unused) {
  (void)unused;
  act_notes[0] = gettid();
  usleep(50000);
  int failed = act_read_name(the_job->name);
  _exit(failed);
}

static int leader_exits(const struct job *job) {
  pthread_t thread;
  the_job = job;
  errno = pthread_create(&thread, NULL, read_later, NULL);
  if (errno) return errno;
  syscall(SYS_exit, 0);
  return 0;
}

static int double_fork(const struct job *job) {
  for (int i = 0; i < job->number; i++) {
    pid_t middle;
    TRY(middle = fork());
    if (middle > 0) {
      TRY(waitpid(middle, NULL, 0));
      continue;
    }
    setsid();
    pid_t last = fork();
    if (last > 0) act_notes[i] = last;
    if (last != 0) _exit(last < 0 ? errno : 0);
    int fd = open(job->name, O_RDONLY);
    _exit(fd < 0 ? errno : 0);
  }
  return 0;
}

static int clone_parent(const struct job *job) {
  pid_t sibling;
  TRY(sibling = (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, 0));
  if (sibling == 0) _exit(act_read_name(job->name));
  act_notes[0] = sibling;
  return 0;
}

static int fork_times(const struct job *job) {
  for (int i = 0; i < job->number; i++) {
    pid_t child;
    TRY(child = fork());
    if (child == 0) {
      struct timespec now;
      clock_gettime(CLOCK_MONOTONIC, &now);
      act_notes[2 * i + 1] = now.tv_sec * 1000000000LL + now.tv_nsec;
      _exit(0);
    }
    act_notes[2 * i] = child;
    TRY(waitpid(child, NULL, 0));
  }
  return 0;
}

static int fork_storm(const struct job *job) {
  if (job->descriptor >= 0) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(job->descriptor, &one);
    TRY(sched_setaffinity(0, sizeof one, &one));
  }
  for (int i = 0; i < job->number; i++) {
    pid_t child;
    TRY(child = fork());
    if (child == 0) _exit(0);
    TRY(waitpid(child, NULL, 0));
  }
  return 0;
}

static int many_files(int number) {
  char name[32];
  for (int i = 0; i < number; i++) {
    snprintf(name, sizeof name, "many-%d", i);
    TRY(mknod(name, S_IFREG | 0644, 0));
  }
  return 0;
}

static int write_file(const char *path, const char *text) {
  int fd;
  TRY(fd = open(path, O_WRONLY));
  TRY(write(fd, text, strlen(text)));
  TRY(close(fd));
  return 0;
}

static int user_overlay(const struct job *job) {
  int failed;
  TRY(setresgid(65534, 65534, 65534));
  TRY(setresuid(65534, 65534, 65534));
  TRY(prctl(PR_SET_DUMPABLE, 1));
  TRY(unshare(CLONE_NEWUSER | CLONE_NEWNS));
  if ((failed = write_file("/proc/self/uid_map", "0 65534 1"))) return failed;
  TRY(mount("overlay", "merged", "overlay", 0, "lowerdir=lower:empty,userxattr"));
  TRY(chdir("merged"));
  return act_read_name(job->name);
}

int act_process(Action action, const struct job *job) {
  switch (action) {
    case ActionExecute: return execute(job);
    case ActionExecuteFromThread: return execute_from_thread(job);
    case ActionExecuteAnonymous: return execute_anonymous(job);
    case ActionOpenThenExecute: {
      int fd;
      TRY(fd = open(job->other, O_RDONLY));
      TRY(close(fd));
      return execute(job);
    }
    case ActionLeaderExits: return leader_exits(job);
    case ActionDoubleFork: return double_fork(job);
    case ActionCloneParent: return clone_parent(job);
    case ActionForkTimes: return fork_times(job);
    case ActionForkStorm: return fork_storm(job);
    case ActionManyFiles: return many_files(job->number);
    case ActionReadInNamespace:
      TRY(unshare(CLONE_NEWNS));
      TRY(chdir(job->directory));
      return act_read_name(job->name);
    case ActionUserOverlay: return user_overlay(job);
    default: return EINVAL;
  }
}
