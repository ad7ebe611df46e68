// Ways through namespaces and mounts of the actor's own. Everything they mount goes with the child that mounted it.
#include "gauntlet.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

int apart(way *run, const struct deed *deed) {
  int status;
  pid_t child = fork();
  if (child < 0) return errno;
  if (child == 0) _exit(run(deed));
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return errno;
  return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}

static int own_mounts(void) {
  TRY(unshare(CLONE_NEWNS));
  TRY(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
  return 0;
}

// The directory and the name of the file. A mount hides what was there, so the name is opened beneath the mount.
static void split(const char *path, char directory[4097], const char **name) {
  const char *slash = strrchr(path, '/');
  snprintf(directory, 4097, "%.*s", (int)(slash - path), path);
  *name = slash + 1;
}

static int read_below(const char *top, const char *name) {
  char path[8192];
  snprintf(path, sizeof path, "%s/%s", top, name);
  return read_path(path);
}

static int namespace_read(const struct deed *deed) {
  int failed = own_mounts();
  return failed ? failed : read_path(deed->word[0]);
}

// word 1: an empty directory to mount on.
static int bind_read(const struct deed *deed) {
  char directory[4097];
  const char *name;
  int failed = own_mounts();
  if (failed) return failed;
  split(deed->word[0], directory, &name);
  TRY(mount(directory, deed->word[1], NULL, MS_BIND, NULL));
  return read_below(deed->word[1], name);
}

static int moved_read(const struct deed *deed) {
  char directory[4097], first[4097];
  const char *name;
  int failed = own_mounts();
  if (failed) return failed;
  split(deed->word[0], directory, &name);
  TRY(mount("moved", deed->word[1], "tmpfs", 0, "mode=755"));
  snprintf(first, sizeof first, "%s/a", deed->word[1]);
  TRY(mkdir(first, 0755));
  TRY(mount(directory, first, NULL, MS_BIND, NULL));
  snprintf(first, sizeof first, "%s/b", deed->word[1]);
  TRY(mkdir(first, 0755));
  char from[4097];
  snprintf(from, sizeof from, "%s/a", deed->word[1]);
  TRY(mount(from, first, NULL, MS_MOVE, NULL));
  return read_below(first, name);
}

// A tree that is attached nowhere.
static int detached_read(const struct deed *deed) {
  char directory[4097], bytes[64];
  const char *name;
  split(deed->word[0], directory, &name);
  int tree, fd;
  TRY(tree = (int)syscall(SYS_open_tree, AT_FDCWD, directory, 1 /* OPEN_TREE_CLONE */));
  TRY(fd = openat(tree, name, O_RDONLY));
  TRY(read(fd, bytes, sizeof bytes));
  return 0;
}

static int chroot_read(const struct deed *deed) {
  char directory[4097];
  const char *name;
  split(deed->word[0], directory, &name);
  TRY(chroot(directory));
  TRY(chdir("/"));
  return read_below("", name);
}

static int overlay(const struct deed *deed, int flags) {
  char directory[4097], options[8192];
  const char *name;
  int failed = own_mounts();
  if (failed) return failed;
  split(deed->word[0], directory, &name);
  TRY(mount("upper", deed->word[1], "tmpfs", 0, "mode=755"));
  const char *parts[] = {"lower", "upper", "work", "merged"};
  char path[4200];
  for (int i = 0; i < 4; i++) {
    snprintf(path, sizeof path, "%s/%s", deed->word[1], parts[i]);
    TRY(mkdir(path, 0755));
  }
  // The lower directory by a plain name: overlayfs gives a meaning to some bytes.
  snprintf(path, sizeof path, "%s/lower", deed->word[1]);
  TRY(mount(directory, path, NULL, MS_BIND, NULL));
  snprintf(
    options, sizeof options, "lowerdir=%s/lower,upperdir=%s/upper,workdir=%s/work", deed->word[1], deed->word[1],
    deed->word[1]);
  snprintf(path, sizeof path, "%s/merged", deed->word[1]);
  TRY(mount("overlay", path, "overlay", 0, options));
  if (flags == O_RDONLY) return read_below(path, name);
  char file[8400];
  int fd;
  snprintf(file, sizeof file, "%s/%s", path, name);
  TRY(fd = open(file, flags));
  TRY(write(fd, "copied up\n", 10));
  TRY(close(fd));
  return 0;
}
static int overlay_read(const struct deed *deed) { return overlay(deed, O_RDONLY); }
static int overlay_write(const struct deed *deed) { return overlay(deed, O_WRONLY | O_APPEND); }

// An ordinary user, root in namespaces of their own.
static int user_read(const struct deed *deed) {
  TRY(setresgid(65534, 65534, 65534));
  TRY(setresuid(65534, 65534, 65534));
  TRY(prctl(PR_SET_DUMPABLE, 1));
  TRY(unshare(CLONE_NEWUSER | CLONE_NEWNS));
  return read_path(deed->word[0]);
}

// A file in a tmpfs that only this process sees.
static int own_tmpfs(const struct deed *deed) {
  char path[4200];
  int fd, failed = own_mounts();
  if (failed) return failed;
  TRY(mount("own", deed->word[0], "tmpfs", 0, "mode=755"));
  snprintf(path, sizeof path, "%s/inside", deed->word[0]);
  TRY(fd = open(path, O_WRONLY | O_CREAT, 0644));
  TRY(write(fd, "inside\n", 7));
  TRY(close(fd));
  return read_path(path);
}

// Someone who looks at the namespace of whoever executes something must have the time to.
static int linger(int failed) {
  if (!failed) execl("/bin/sleep", "sleep", "0.3", (char *)NULL);
  return failed ? failed : errno;
}
static int bind_linger(const struct deed *deed) { return linger(bind_read(deed)); }
static int overlay_linger(const struct deed *deed) { return linger(overlay_read(deed)); }

// A tree that is attached nowhere, and then where the caller alone has it.
static int attached_linger(const struct deed *deed) {
  char directory[4097];
  const char *name;
  int tree, failed = own_mounts();
  if (failed) return failed;
  split(deed->word[0], directory, &name);
  TRY(tree = (int)syscall(SYS_open_tree, AT_FDCWD, directory, 1 /* OPEN_TREE_CLONE */));
  TRY(syscall(SYS_move_mount, tree, "", AT_FDCWD, deed->word[1], 4 /* MOVE_MOUNT_F_EMPTY_PATH */));
  return linger(read_below(deed->word[1], name));
}

#define APART(name, way) \
  static int name(const struct deed *deed) { return apart(way, deed); }
APART(do_namespace, namespace_read)
APART(do_bind, bind_read)
APART(do_moved, moved_read)
APART(do_detached, detached_read)
APART(do_chroot, chroot_read)
APART(do_overlay_read, overlay_read)
APART(do_overlay_write, overlay_write)
APART(do_user, user_read)
APART(do_own_tmpfs, own_tmpfs)
APART(do_bind_linger, bind_linger)
APART(do_overlay_linger, overlay_linger)
APART(do_attached_linger, attached_linger)

const struct named_way space_ways[] = {
  {"namespace", 1, do_namespace}, {"bind", 2, do_bind}, {"moved", 2, do_moved}, {"detached", 1, do_detached},
  {"chroot", 1, do_chroot}, {"overlay-read", 2, do_overlay_read}, {"overlay-write", 2, do_overlay_write},
  {"user", 1, do_user}, {"own-tmpfs", 1, do_own_tmpfs}, {"bind-linger", 2, do_bind_linger}, {"overlay-linger", 2, do_overlay_linger},
  {"attached-linger", 2, do_attached_linger}, {NULL, 0, NULL},
};
