// Ways of changing what files are called, and of reaching them by another name.
#include "gauntlet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

static int do_link(const struct deed *deed) {
  TRY(link(deed->word[0], deed->word[1]));
  return 0;
}

static int do_rename(const struct deed *deed) {
  TRY(rename(deed->word[0], deed->word[1]));
  return 0;
}

static int do_exchange(const struct deed *deed) {
  TRY(renameat2(AT_FDCWD, deed->word[0], AT_FDCWD, deed->word[1], RENAME_EXCHANGE));
  return 0;
}

static int do_unlink(const struct deed *deed) {
  TRY(unlink(deed->word[0]));
  return 0;
}

static int do_mkdir(const struct deed *deed) {
  TRY(mkdir(deed->word[0], 0755));
  return 0;
}

static int do_create(const struct deed *deed) {
  int fd;
  TRY(fd = open(deed->word[0], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  int result = write(fd, "created\n", 8) < 0 ? errno : 0;
  close(fd);
  return result;
}

// As an editor does: a new file, renamed over the old one.
static int do_replace(const struct deed *deed) {
  int fd;
  TRY(fd = open(deed->word[1], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  int result = write(fd, "another text\n", 13) < 0 ? errno : 0;
  close(fd);
  if (result) return result;
  TRY(rename(deed->word[1], deed->word[0]));
  return 0;
}

// No name until it is complete; then the name.
static int do_tmpfile(const struct deed *deed) {
  char *directory = strdup(deed->word[0]), way_there[64];
  *strrchr(directory, '/') = 0;
  int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0644);
  free(directory);
  TRY(fd);
  int result = write(fd, "unnamed\n", 8) < 0 ? errno : 0;
  snprintf(way_there, sizeof way_there, "/proc/self/fd/%d", fd);
  if (!result && linkat(AT_FDCWD, way_there, AT_FDCWD, deed->word[0], AT_SYMLINK_FOLLOW) < 0) result = errno;
  close(fd);
  return result;
}

static int read_formatted(const char *format, const char *first, const char *second) {
  char *path;
  if (asprintf(&path, format, first, second) < 0) return ENOMEM;
  int result = read_path(path);
  free(path);
  return result;
}

// Splits a path into its directory and its last component; both in the memory of the first.
static char *split(const char *path, char **name) {
  char *directory = strdup(path), *slash = strrchr(directory, '/');
  *slash = 0;
  *name = slash + 1;
  return directory;
}

static int do_dots(const struct deed *deed) {
  char *name, *directory = split(deed->word[0], &name), *last = strrchr(directory, '/');
  char *path;
  int result = ENOMEM;
  if (asprintf(&path, "%s//..//%s/./%s", directory, last + 1, name) >= 0) {
    result = read_path(path);
    free(path);
  }
  free(directory);
  return result;
}

// A symbolic link that is gone afterwards.
static int do_symlink(const struct deed *deed) {
  TRY(symlink(deed->word[0], deed->word[1]));
  int result = read_path(deed->word[1]);
  unlink(deed->word[1]);
  return result;
}

static int do_process_root(const struct deed *deed) {
  return read_formatted("/proc/self/root%s%s", deed->word[0], "");
}

static int process_directory(const struct deed *deed) {
  char *name, *directory = split(deed->word[0], &name);
  TRY(chdir(directory));
  int result = read_formatted("/proc/self/cwd/%s%s", name, "");
  free(directory);
  return result;
}
static int do_process_directory(const struct deed *deed) { return apart(process_directory, deed); }

// Another process holds it open; this one opens it through that one's descriptors.
static int do_process_descriptor(const struct deed *deed) {
  int held, go[2], result;
  char path[64], byte;
  TRY(pipe(go));
  pid_t holder = fork();
  if (holder < 0) return errno;
  if (holder == 0) {
    close(go[1]);
    // Below, the descriptor has this number.
    held = open(deed->word[0], O_PATH);
    if (held < 0 || dup2(held, 99) < 0) _exit(1);
    if (read(go[0], &byte, 1) < 0) _exit(1);
    _exit(0);
  }
  close(go[0]);
  snprintf(path, sizeof path, "/proc/%d/fd/99", holder);
  for (int i = 0; access(path, F_OK) < 0 && i < 1000; i++) usleep(100);
  result = read_path(path);
  close(go[1]);
  waitpid(holder, NULL, 0);
  return result;
}

const struct named_way name_ways[] = {
  {"link", 2, do_link}, {"rename", 2, do_rename}, {"exchange", 2, do_exchange}, {"unlink", 1, do_unlink},
  {"mkdir", 1, do_mkdir}, {"create", 1, do_create}, {"replace", 2, do_replace}, {"tmpfile", 1, do_tmpfile},
  {"dots", 1, do_dots}, {"symlink", 2, do_symlink}, {"process-root", 1, do_process_root},
  {"process-directory", 1, do_process_directory}, {"process-descriptor", 1, do_process_descriptor},
  {NULL, 0, NULL},
};
