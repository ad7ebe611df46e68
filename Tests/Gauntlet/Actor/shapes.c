// Shapes of process trees: each runs a block in some descendant, and goes on when the block is over.
#include "gauntlet.h"

#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <grp.h>

extern char **environ;

// A byte says that a block is over: nobody can wait for a process whose parent is dead. Two ends of a pipe.
struct over {
  int read, write;
};

static struct over over_new(void) {
  int ends[2];
  if (pipe(ends) < 0) {
    complain("pipe");
    _exit(70);
  }
  fcntl(ends[0], F_SETFD, FD_CLOEXEC);
  return (struct over){ends[0], ends[1]};
}

static void over_wait(struct over over, pid_t child) {
  char byte;
  close(over.write);
  while (read(over.read, &byte, 1) < 0 && errno == EINTR) continue;
  close(over.read);
  if (child > 0)
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR) continue;
}

static void over_say(struct over over) {
  if (write(over.write, "x", 1) != 1) complain("over");
}

static void run_and_exit(struct block block, struct over over) {
  run_block(block);
  over_say(over);
  _exit(0);
}

static void execute(const char *program, const char *name, const char *script, struct block block, struct over over) {
  char **arguments = block_arguments(name, script, block, over.write);
  execve(program, arguments, environ);
  complain(program);
  _exit(127);
}

// What a thread is given; in static memory, for it may outlive the stack of who started it.
static struct {
  struct block block;
  struct over over;
  const char *program;
} job;

static void *thread_block(void *own) {
  run_block(*(struct block *)own);
  return NULL;
}

static void *last_thread(void *unused) {
  (void)unused;
  // The leader is to be gone before the block begins.
  usleep(2000);
  run_and_exit(job.block, job.over);
  return NULL;
}

static void *executing_thread(void *unused) {
  (void)unused;
  execute(job.program, job.program, NULL, job.block, job.over);
  return NULL;
}

static void in_thread(struct block block) {
  pthread_t thread;
  if ((errno = pthread_create(&thread, NULL, thread_block, &block))) return complain("pthread_create");
  pthread_join(thread, NULL);
}

static void leader_exit(struct block block, struct over over) {
  pthread_t thread;
  job.block = block;
  job.over = over;
  if (pthread_create(&thread, NULL, last_thread, NULL) != 0) _exit(70);
  syscall(SYS_exit, 0);
}

static void thread_exec(const char *program, struct block block, struct over over) {
  pthread_t thread;
  job.block = block;
  job.over = over;
  job.program = program;
  if (pthread_create(&thread, NULL, executing_thread, NULL) != 0) _exit(70);
  for (;;) pause();
}

static pid_t clone_with(uint64_t flags, pid_t wanted) {
  struct clone_args args;
  memset(&args, 0, sizeof args);
  args.flags = flags;
  // With CLONE_PARENT the parent's signal is taken over.
  args.exit_signal = flags & CLONE_PARENT ? 0 : SIGCHLD;
  if (wanted) {
    args.set_tid = (uint64_t)(uintptr_t)&wanted;
    args.set_tid_size = 1;
  }
  return (pid_t)syscall(SYS_clone3, &args, sizeof args);
}

// The pid that another process had a moment ago.
static pid_t clone_as(pid_t wanted) {
  pid_t child = -1;
  for (int i = 0; i < 200; i++) {
    child = clone_with(0, wanted);
    if (child >= 0 || errno != EEXIST) break;
    usleep(1000);
  }
  return child;
}

// A child whose parent is dead when it begins, in a session of its own.
static void orphan(struct block block, struct over over) {
  setsid();
  pid_t middle = getpid(), last = fork();
  if (last != 0) _exit(last < 0);
  while (getppid() == middle) usleep(200);
  run_and_exit(block, over);
}

static void own_pids(struct block block, struct over over) {
  if (unshare(CLONE_NEWPID) < 0) {
    complain("CLONE_NEWPID");
    _exit(70);
  }
  pid_t first = fork();
  if (first == 0) run_and_exit(block, over);
  waitpid(first, NULL, 0);
  _exit(0);
}

static void write_to(const char *path, const char *text) {
  int fd = open(path, O_WRONLY);
  if (fd < 0 || write(fd, text, strlen(text)) < 0) complain(path);
  if (fd >= 0) close(fd);
}

static void own_users(struct block block, struct over over) {
  if (unshare(CLONE_NEWUSER) < 0) {
    complain("CLONE_NEWUSER");
    _exit(70);
  }
  write_to("/proc/self/uid_map", "0 0 1");
  write_to("/proc/self/setgroups", "deny");
  write_to("/proc/self/gid_map", "0 0 1");
  run_and_exit(block, over);
}

static void own_mounts(struct block block, struct over over) {
  if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
    complain("CLONE_NEWNS");
    _exit(70);
  }
  run_and_exit(block, over);
}

static void nobody(struct block block, struct over over) {
  if (setgroups(0, NULL) < 0 || setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0) {
    complain("setresuid");
    _exit(70);
  }
  prctl(PR_SET_DUMPABLE, 1);
  run_and_exit(block, over);
}

// Through another program: WORDS before the actor's own command line.
static void through(const char *const *before, int count, const char *program, struct block block, struct over over) {
  char **own = block_arguments(program, NULL, block, over.write), *all[40];
  int at = 0;
  for (int i = 0; i < count; i++) all[at++] = (char *)before[i];
  for (int i = 0; own[i]; i++) all[at++] = own[i];
  all[at] = NULL;
  execvp(all[0], all);
  complain(all[0]);
  _exit(127);
}

static void sandbox(const char *program, struct block block, struct over over) {
  static const char *const before[] = {"bwrap", "--dev-bind", "/", "/", "--unshare-pid", "--unshare-ipc", "--"};
  through(before, 7, program, block, over);
}

static void set_privilege(const char *program, struct block block, struct over over) {
  static const char *const before[] = {"setpriv", "--reuid", "65534", "--clear-groups", "--"};
  through(before, 5, program, block, over);
}

// Another user's command, as `su -c` gives it to a shell.
static void switch_user(const char *program, struct block block, struct over over) {
  char **own = block_arguments(program, NULL, block, over.write), *command;
  // Of all words only the last one has spaces, and none has a quote: names are escaped.
  if (asprintf(
        &command, "%s %s %s %s %s %s %s -- '%s'", own[0], own[1], own[2], own[3], own[4], own[5], own[6], own[8]) < 0)
    _exit(70);
  execlp("su", "su", "-s", "/bin/sh", "nobody", "-c", command, NULL);
  complain("su");
  _exit(127);
}

static void spawned(const char *program, struct block block, struct over over) {
  pid_t child;
  char **arguments = block_arguments(program, NULL, block, over.write);
  if ((errno = posix_spawn(&child, program, NULL, NULL, arguments, environ))) return complain("posix_spawn");
  waitpid(child, NULL, 0);
}

static void from_memory(const char *program, struct block block, struct over over) {
  int from = open(program, O_RDONLY | O_CLOEXEC), to = memfd_create("program", MFD_CLOEXEC);
  struct stat info;
  if (from < 0 || to < 0 || fstat(from, &info) < 0 || sendfile(to, from, NULL, (size_t)info.st_size) < 0) _exit(70);
  fexecve(to, block_arguments("program", NULL, block, over.write), environ);
  complain("fexecve");
  _exit(127);
}

// Agents, each in a form of launching. In `node` form the second word is the script.
static void launch(const char *form, char **words, struct block block, struct over over) {
  const char *program = words[0];
  if (!strcmp(form, "agent")) execute(program, program, NULL, block, over);
  if (!strcmp(form, "agent-forged")) execute(program, "[kworker/0:1]", NULL, block, over);
  if (!strcmp(form, "agent-loader")) execute("/lib64/ld-linux-x86-64.so.2", "ld.so", program, block, over);
  if (!strcmp(form, "agent-script")) execute(program, program, words[1], block, over);
  if (!strcmp(form, "agent-memory")) from_memory(program, block, over);
}

static int starts(const char *name, const char *with) { return !strncmp(name, with, strlen(with)); }

int run_shape(const char *name, char **words, int count, struct block block) {
  if (!strcmp(name, "thread")) {
    in_thread(block);
    return 1;
  }
  if (!strcmp(name, "storm")) {
    // Many at once, none waited for before all have begun.
    int number = count ? atoi(words[0]) : 20;
    struct over over = over_new();
    for (int i = 0; i < number; i++) {
      pid_t child = fork();
      if (child == 0) orphan(i == number / 2 ? block : (struct block){0, 0}, over);
      if (child > 0) waitpid(child, NULL, 0);
    }
    close(over.write);
    char byte;
    for (int i = 0; i < number; i++)
      if (read(over.read, &byte, 1) != 1) break;
    close(over.read);
    return 1;
  }
  if (!strcmp(name, "become")) {
    // No child: this very process goes on as another program, and nothing follows.
    execute(words[0], words[0], NULL, block, (struct over){-1, -1});
  }
  struct over over = over_new();
  const char *program = count ? words[0] : "/proc/self/exe";
  pid_t child;
  if (!strcmp(name, "vfork")) {
    char **arguments = block_arguments(program, NULL, block, over.write);
    child = vfork();
    if (child == 0) {
      execve(program, arguments, environ);
      _exit(127);
    }
    over_wait(over, child);
    return 1;
  }
  if (!strcmp(name, "spawn")) {
    spawned(program, block, over);
    over_wait(over, 0);
    return 1;
  }
  if (!strcmp(name, "clone3")) child = clone_with(0, 0);
  else if (!strcmp(name, "clone-parent")) child = clone_with(CLONE_PARENT, 0);
  else if (!strcmp(name, "pid")) child = clone_as(atoi(words[0]));
  else child = fork();
  if (child < 0) {
    complain(name);
    over_wait(over, 0);
    return 1;
  }
  if (child > 0) {
    if (!strcmp(name, "later")) {
      // Nobody waits for it: it is to outlive whoever started it.
      close(over.read);
      close(over.write);
      waitpid(child, NULL, 0);
    } else {
      over_wait(over, strcmp(name, "clone-parent") ? child : 0);
    }
    return 1;
  }
  // What comes later says into its own end that it is over: nobody else listens.
  if (strcmp(name, "later")) close(over.read);
  if (!strcmp(name, "fork") || !strcmp(name, "clone3") || !strcmp(name, "clone-parent") || !strcmp(name, "pid"))
    run_and_exit(block, over);
  if (!strcmp(name, "daemon") || !strcmp(name, "later")) orphan(block, over);
  if (!strcmp(name, "leader-exit")) leader_exit(block, over);
  if (!strcmp(name, "exec")) execute(program, program, NULL, block, over);
  if (!strcmp(name, "thread-exec")) thread_exec(program, block, over);
  if (!strcmp(name, "own-pids")) own_pids(block, over);
  if (!strcmp(name, "own-users")) own_users(block, over);
  if (!strcmp(name, "own-mounts")) own_mounts(block, over);
  if (!strcmp(name, "nobody")) nobody(block, over);
  if (!strcmp(name, "sandbox")) sandbox(program, block, over);
  if (!strcmp(name, "set-privilege")) set_privilege(program, block, over);
  if (!strcmp(name, "switch-user")) switch_user(program, block, over);
  if (!strcmp(name, "memory")) from_memory(program, block, over);
  if (starts(name, "agent")) launch(name, words, block, over);
  fprintf(stderr, "gauntlet-actor: no such shape: %s\n", name);
  _exit(64);
}
