#include "actions.h"

#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

enum { some = 64 };

static int read_and_close(int fd) {
  char bytes[some];
  TRY(read(fd, bytes, sizeof bytes));
  TRY(close(fd));
  return 0;
}

int act_read_name(const char *name) {
  int fd;
  TRY(fd = open(name, O_RDONLY));
  return read_and_close(fd);
}

static int map(const char *name) {
  int fd;
  TRY(fd = open(name, O_RDONLY));
  volatile char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
  if (page == MAP_FAILED) return errno;
  (void)page[0];
  TRY(close(fd));
  return 0;
}

static int copy(Action action, const char *name, const char *other) {
  int from, to;
  TRY(from = open(name, O_RDONLY));
  TRY(to = open(other, O_WRONLY | O_CREAT, 0644));
  if (action == ActionSendFile)
    TRY(sendfile(to, from, NULL, some));
  else
    TRY(copy_file_range(from, NULL, to, NULL, some, 0));
  TRY(close(from));
  TRY(close(to));
  return 0;
}

static int to_pipe(const char *name) {
  int from, ends[2];
  TRY(from = open(name, O_RDONLY));
  TRY(pipe(ends));
  TRY(splice(from, NULL, ends[1], NULL, some, 0));
  TRY(close(from));
  return 0;
}

static int temporary(const char *other) {
  int fd;
  char path[64];
  TRY(fd = open(".", O_TMPFILE | O_RDWR, 0644));
  TRY(write(fd, "text", 4));
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  TRY(linkat(AT_FDCWD, path, AT_FDCWD, other, AT_SYMLINK_FOLLOW));
  TRY(close(fd));
  return 0;
}

static int reopen(const char *name) {
  int place, fd;
  char path[64];
  TRY(place = open(name, O_PATH));
  snprintf(path, sizeof path, "/proc/self/fd/%d", place);
  TRY(fd = open(path, O_RDONLY));
  return read_and_close(fd);
}

static int read_move_read(const char *name, const char *other) {
  char path[64];
  int failed;
  snprintf(path, sizeof path, "%s/a", name);
  if ((failed = act_read_name(path))) return failed;
  TRY(rename(name, other));
  snprintf(path, sizeof path, "%s/a", other);
  return act_read_name(path);
}

static int by_handle(const char *name) {
  struct {
    struct file_handle handle;
    unsigned char bytes[MAX_HANDLE_SZ];
  } room;
  int mount, fd;
  room.handle.handle_bytes = sizeof room.bytes;
  TRY(name_to_handle_at(AT_FDCWD, name, &room.handle, &mount, 0));
  TRY(fd = open_by_handle_at(AT_FDCWD, &room.handle, O_RDONLY));
  return read_and_close(fd);
}

static int look_at(const char *name, const char *other) {
  struct stat info;
  char bytes[some];
  int place;
  TRY(place = open(name, O_PATH));
  TRY(fstat(place, &info));
  TRY(close(place));
  TRY(stat(name, &info));
  TRY(access(name, R_OK));
  TRY(readlink(other, bytes, sizeof bytes));
  TRY(getxattr(name, "user.tag", bytes, sizeof bytes));
  TRY(listxattr(name, bytes, sizeof bytes));
  return 0;
}

int act_file(Action action, const struct job *job) {
  const char *name = job->name, *other = job->other;
  char bytes[some];
  int fd;
  switch (action) {
    case ActionOpen:
      TRY(fd = open(name, O_RDONLY));
      TRY(close(fd));
      return 0;
    case ActionOpenat2: {
      struct open_how how = {.flags = O_RDONLY};
      TRY(fd = (int)syscall(SYS_openat2, AT_FDCWD, name, &how, sizeof how));
      TRY(close(fd));
      return 0;
    }
    case ActionCreate:
      TRY(fd = creat(name, 0644));
      TRY(close(fd));
      return 0;
    case ActionRead: return act_read_name(name);
    case ActionReadAt:
      TRY(fd = open(name, O_RDONLY));
      TRY(pread(fd, bytes, sizeof bytes, 1));
      TRY(close(fd));
      return 0;
    case ActionMap: return map(name);
    case ActionSendFile:
    case ActionCopyRange: return copy(action, name, other);
    case ActionSplice: return to_pipe(name);
    case ActionTruncate: TRY(truncate(name, 1)); return 0;
    case ActionReadMoveRead: return read_move_read(name, other);
    case ActionTemporary: return temporary(other);
    case ActionLink: TRY(link(name, other)); return 0;
    case ActionRename: TRY(rename(name, other)); return 0;
    case ActionExchange: TRY(renameat2(AT_FDCWD, name, AT_FDCWD, other, RENAME_EXCHANGE)); return 0;
    case ActionMakeDirectory: TRY(mkdir(name, 0755)); return 0;
    case ActionUnlink: TRY(unlink(name)); return 0;
    case ActionRemoveDirectory: TRY(rmdir(name)); return 0;
    case ActionReopen: return reopen(name);
    case ActionOpenHandle: return by_handle(name);
    case ActionLookAt: return look_at(name, other);
    case ActionSetAttribute: TRY(setxattr(name, "user.tag", "x", 1, 0)); return 0;
    default: return EINVAL;
  }
}
