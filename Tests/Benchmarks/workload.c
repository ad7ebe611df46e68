// The measured work. One binary, so that every configuration and every role runs the same instructions.
//
//   workload files DIRECTORY COUNT PASSES   open, read, close each of DIRECTORY/0 ... DIRECTORY/COUNT-1
//   workload tree DIRECTORY PASSES          walks DIRECTORY and reads every file, as a search does
//   workload spawn COUNT                    posix_spawn of /bin/true, and waiting for it
//   workload calls COUNT                    a system call that does nothing, by its number
//   workload connect PATH COUNT             a unix socket that listens at PATH: connect, accept, close
//   workload agent PROGRAM ARGUMENT...      stands in for an agent: runs PROGRAM as a child; does no work itself
//
// Prints "OPERATIONS NANOSECONDS". What comes before the clock starts (the loader, one untimed pass that fills the
// caches) is the same everywhere and would only dilute the ratios.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static void die(const char *what) {
  fprintf(stderr, "workload: %s: %s\n", what, strerror(errno));
  exit(1);
}

static long long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void read_file(int directory, const char *name) {
  char buffer[4096];
  int file = openat(directory, name, O_RDONLY | O_CLOEXEC);
  if (file < 0) die(name);
  if (read(file, buffer, sizeof buffer) < 0) die(name);
  close(file);
}

static long files(int directory, int count) {
  char name[16];
  for (int i = 0; i < count; i++) {
    snprintf(name, sizeof name, "%d", i);
    read_file(directory, name);
  }
  return count;
}

static long tree(int parent, const char *name) {
  int descriptor = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) die(name);
  DIR *directory = fdopendir(descriptor);
  if (!directory) die(name);
  long count = 0;
  for (struct dirent *entry; (entry = readdir(directory));) {
    if (entry->d_name[0] == '.') continue;
    if (entry->d_type == DT_DIR) {
      count += tree(descriptor, entry->d_name);
    } else {
      read_file(descriptor, entry->d_name);
      count++;
    }
  }
  closedir(directory);
  return count;
}

static long spawn(int count) {
  char *arguments[] = {"/bin/true", NULL};
  for (int i = 0; i < count; i++) {
    pid_t child;
    int status;
    errno = posix_spawn(&child, arguments[0], NULL, NULL, arguments, environ);
    if (errno) die(arguments[0]);
    if (waitpid(child, &status, 0) < 0 || status != 0) die("waiting for /bin/true");
  }
  return count;
}

static long calls(int count) {
  for (int i = 0; i < count; i++) syscall(SYS_getppid);
  return count;
}

static long connects(const char *path, int count) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) die(path);
  strcpy(address.sun_path, path);
  int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  unlink(path);
  if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 1) < 0)
    die(path);
  for (int i = 0; i < count; i++) {
    int one = socket(AF_UNIX, SOCK_STREAM, 0);
    if (one < 0 || connect(one, (struct sockaddr *)&address, sizeof address) < 0) die("connect");
    int other = accept(listener, NULL, NULL);
    if (other < 0) die("accept");
    close(one);
    close(other);
  }
  close(listener);
  return count;
}

static int agent(char **command) {
  int status;
  pid_t child = fork();
  if (child < 0) die("fork");
  if (child == 0) {
    execv(command[0], command);
    die(command[0]);
  }
  if (waitpid(child, &status, 0) < 0) die("wait");
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int count, char **arguments) {
  const char *kind = count > 1 ? arguments[1] : "";
  long operations = 0;
  long long began;
  if (!strcmp(kind, "agent") && count > 2) return agent(arguments + 2);
  if (!strcmp(kind, "files") && count == 5) {
    int directory = open(arguments[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) die(arguments[2]);
    files(directory, atoi(arguments[3]));
    began = now();
    for (int pass = atoi(arguments[4]); pass > 0; pass--) operations += files(directory, atoi(arguments[3]));
  } else if (!strcmp(kind, "tree") && count == 4) {
    tree(AT_FDCWD, arguments[2]);
    began = now();
    for (int pass = atoi(arguments[3]); pass > 0; pass--) operations += tree(AT_FDCWD, arguments[2]);
  } else if (!strcmp(kind, "spawn") && count == 3) {
    spawn(10);
    began = now();
    operations = spawn(atoi(arguments[2]));
  } else if (!strcmp(kind, "calls") && count == 3) {
    calls(1000);
    began = now();
    operations = calls(atoi(arguments[2]));
  } else if (!strcmp(kind, "connect") && count == 4) {
    connects(arguments[2], 10);
    began = now();
    operations = connects(arguments[2], atoi(arguments[3]));
  } else {
    fprintf(stderr, "workload: files DIRECTORY COUNT PASSES | tree DIRECTORY PASSES | spawn COUNT | calls COUNT | "
                    "connect PATH COUNT | agent PROGRAM ...\n");
    return 2;
  }
  printf("%ld %lld\n", operations, now() - began);
  return 0;
}
