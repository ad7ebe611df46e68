// Ways of reaching what a file holds.
#include "gauntlet.h"

#include <linux/fs.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>

// What the tests of single kernel facts do is done here by the same code.
#include "../../CTestActions/actions.h"

enum { page = 4096 };
extern char **environ;

int read_path(const char *path) { return act_read_name(path); }

static int open_for(const struct deed *deed, int flags) { return open(deed->word[0], flags | O_CLOEXEC, 0644); }

static int shared(Action action, const struct deed *deed) {
  struct job job = {".", deed->word[0], deed->words > 1 ? deed->word[1] : NULL, -1, 0};
  return act_file(action, &job);
}

#define SHARED(name, action) \
  static int name(const struct deed *deed) { return shared(action, deed); }
SHARED(do_open, ActionOpen)
SHARED(do_openat2, ActionOpenat2)
SHARED(do_creat, ActionCreate)
SHARED(do_read, ActionRead)
SHARED(do_pread, ActionReadAt)
SHARED(do_splice, ActionSplice)
SHARED(do_copy_range, ActionCopyRange)
SHARED(do_truncate, ActionTruncate)
SHARED(do_reopen, ActionReopen)
SHARED(do_handle, ActionOpenHandle)
SHARED(do_setxattr, ActionSetAttribute)

static int ring(const struct deed *deed, int mode) {
  struct job job = {".", deed->word[0], NULL, -1, mode};
  return act_ring(&job);
}
static int ring_inline(const struct deed *deed) { return ring(deed, 0); }
static int ring_worker(const struct deed *deed) { return ring(deed, 1); }
static int ring_polled(const struct deed *deed) { return ring(deed, 2); }
// The ring and what it opened go with the child.
static int do_ring(const struct deed *deed) { return apart(ring_inline, deed); }
static int do_ring_worker(const struct deed *deed) { return apart(ring_worker, deed); }
static int do_ring_polled(const struct deed *deed) { return apart(ring_polled, deed); }

static int read_some(int fd) {
  char bytes[64];
  if (fd < 0) return errno;
  int result = read(fd, bytes, sizeof bytes) < 0 ? errno : 0;
  close(fd);
  return result;
}

// From the directory, and by the last component only.
static int do_openat(const struct deed *deed) {
  char *directory = strdup(deed->word[0]), *name = strrchr(directory, '/');
  *name++ = 0;
  int place = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC), failed = place < 0 ? errno : 0;
  if (!failed) failed = read_some(openat(place, name, O_RDONLY | O_CLOEXEC));
  if (place >= 0) close(place);
  free(directory);
  return failed;
}

// One component at a time, so that the path may have any length.
static int do_steps(const struct deed *deed) {
  char *copy = strdup(deed->word[0]), *rest = copy, *name;
  int place = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), failed = 0;
  while (!failed && (name = strsep(&rest, "/")) != NULL) {
    if (!*name) continue;
    if (rest == NULL) {
      failed = read_some(openat(place, name, O_RDONLY | O_CLOEXEC));
      break;
    }
    int next = openat(place, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
    failed = next < 0 ? errno : 0;
    close(place);
    place = next;
  }
  if (place >= 0) close(place);
  free(copy);
  return failed;
}

// Directories of long names, one in the other, and a file at the bottom, which is read: longer than PATH_MAX.
static int do_deep(const struct deed *deed) {
  char name[201];
  memset(name, 'd', 200);
  name[200] = 0;
  int place = open(deed->word[0], O_PATH | O_DIRECTORY | O_CLOEXEC);
  for (int i = 0; place >= 0 && i < 25; i++) {
    if (mkdirat(place, name, 0755) < 0 && errno != EEXIST) return errno;
    int next = openat(place, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
    close(place);
    place = next;
  }
  TRY(place);
  int fd = openat(place, "bottom", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  close(place);
  return read_some(fd);
}

static int do_readv(const struct deed *deed) {
  char bytes[64];
  struct iovec parts[2] = {{bytes, 32}, {bytes + 32, 32}};
  int fd;
  TRY(fd = open_for(deed, O_RDONLY));
  int result = readv(fd, parts, 2) < 0 ? errno : 0;
  close(fd);
  return result;
}

static int do_preadv2(const struct deed *deed) {
  char bytes[64];
  struct iovec part = {bytes, sizeof bytes};
  int fd;
  TRY(fd = open_for(deed, O_RDONLY));
  int result = preadv2(fd, &part, 1, 0, RWF_HIPRI) < 0 ? errno : 0;
  close(fd);
  return result;
}

static int do_direct(const struct deed *deed) {
  void *room;
  int fd;
  if (posix_memalign(&room, page, page)) return ENOMEM;
  TRY(fd = open_for(deed, O_RDONLY | O_DIRECT));
  int result = read(fd, room, page) < 0 ? errno : 0;
  close(fd);
  free(room);
  return result;
}

static int map(const struct deed *deed, int open_flags, int protection, int flags, int later, int stored) {
  int fd;
  TRY(fd = open_for(deed, open_flags));
  volatile char *bytes = mmap(NULL, page, protection, flags, fd, 0);
  int result = bytes == MAP_FAILED ? errno : 0;
  if (result) {
    close(fd);
    return result;
  }
  if (later != protection && mprotect((void *)bytes, page, later) < 0) result = errno;
  struct stat info;
  // Of an empty file there is nothing to touch.
  int touches = fstat(fd, &info) == 0 && info.st_size > 0;
  close(fd);
  if (!result && touches && later & PROT_READ) {
    char first = bytes[0];
    if (stored) bytes[0] = first;
  }
  munmap((void *)bytes, page);
  return result;
}
static int do_mmap(const struct deed *deed) {
  return map(deed, O_RDONLY, PROT_READ, MAP_PRIVATE, PROT_READ, 0);
}
static int do_mmap_shared(const struct deed *deed) {
  return map(deed, O_RDONLY, PROT_READ, MAP_SHARED, PROT_READ, 0);
}
static int do_mmap_populate(const struct deed *deed) {
  return map(deed, O_RDONLY, PROT_READ, MAP_PRIVATE | MAP_POPULATE, PROT_READ, 0);
}
static int do_mmap_protect(const struct deed *deed) {
  return map(deed, O_RDONLY, PROT_NONE, MAP_PRIVATE, PROT_READ, 0);
}
static int do_mmap_write(const struct deed *deed) {
  return map(deed, O_RDWR, PROT_READ | PROT_WRITE, MAP_SHARED, PROT_READ | PROT_WRITE, 1);
}
static int do_mmap_write_later(const struct deed *deed) {
  return map(deed, O_RDWR, PROT_READ, MAP_SHARED, PROT_READ | PROT_WRITE, 1);
}
static int do_mmap_exec(const struct deed *deed) {
  return map(deed, O_RDONLY, PROT_READ | PROT_EXEC, MAP_PRIVATE, PROT_READ | PROT_EXEC, 0);
}

// Maps, closes, and uses the mapping when half a second has passed.
static int do_hold_map(const struct deed *deed) {
  int fd;
  TRY(fd = open_for(deed, O_RDONLY));
  volatile char *bytes = mmap(NULL, page, PROT_READ, MAP_PRIVATE, fd, 0);
  close(fd);
  if (bytes == MAP_FAILED) return errno;
  usleep(500000);
  (void)bytes[0];
  munmap((void *)bytes, page);
  return 0;
}

static int do_sendfile(const struct deed *deed) {
  int from, to, result = 0;
  TRY(from = open_for(deed, O_RDONLY));
  to = memfd_create("copy", MFD_CLOEXEC);
  if (to < 0 || sendfile(to, from, NULL, 64) < 0) result = errno;
  close(from);
  if (to >= 0) close(to);
  return result;
}

static int do_tee(const struct deed *deed) {
  int from, first[2], second[2], result = 0;
  TRY(from = open_for(deed, O_RDONLY));
  if (pipe(first) < 0 || pipe(second) < 0) return errno;
  ssize_t count = splice(from, NULL, first[1], NULL, 64, 0);
  // Of an empty file nothing comes, and tee would wait for it.
  if (count < 0 || (count > 0 && tee(first[0], second[1], 64, 0) < 0)) result = errno;
  for (int i = 0; i < 2; i++) {
    close(first[i]);
    close(second[i]);
  }
  close(from);
  return result;
}

static int do_reflink(const struct deed *deed) {
  int from, to, result = 0;
  TRY(from = open_for(deed, O_RDONLY));
  to = open(deed->word[1], O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (to < 0 || ioctl(to, FICLONE, from) < 0) result = errno;
  close(from);
  if (to >= 0) close(to);
  return result;
}

static int write_flags(const struct deed *deed, int flags) {
  int fd;
  TRY(fd = open_for(deed, flags));
  int result = write(fd, "new text\n", 9) < 0 ? errno : 0;
  close(fd);
  return result;
}
static int do_write(const struct deed *deed) { return write_flags(deed, O_WRONLY); }
static int do_append(const struct deed *deed) { return write_flags(deed, O_WRONLY | O_APPEND); }
static int do_rewrite(const struct deed *deed) { return write_flags(deed, O_RDWR | O_TRUNC); }

static int do_fallocate(const struct deed *deed) {
  int fd;
  TRY(fd = open_for(deed, O_WRONLY));
  int result = fallocate(fd, 0, 0, 3 * page) < 0 ? errno : 0;
  close(fd);
  return result;
}

static int do_chmod(const struct deed *deed) {
  struct stat info;
  TRY(stat(deed->word[0], &info));
  // Another mode each time, and always one that everybody can use.
  TRY(chmod(deed->word[0], info.st_mode ^ S_ISVTX));
  return 0;
}

static int do_utimes(const struct deed *deed) {
  struct timespec times[2] = {{1000000000, 1}, {1000000000, 2}};
  TRY(utimensat(AT_FDCWD, deed->word[0], times, 0));
  return 0;
}

static int do_stat(const struct deed *deed) {
  struct stat info;
  char list[256];
  int place;
  TRY(stat(deed->word[0], &info));
  TRY(access(deed->word[0], R_OK));
  TRY(listxattr(deed->word[0], list, sizeof list));
  TRY(place = open(deed->word[0], O_PATH | O_CLOEXEC));
  close(place);
  return 0;
}

static int fails_with(int code, int fd) {
  if (fd >= 0) {
    close(fd);
    return EISCONN;  // it was meant to fail: as bad a result as any other
  }
  return errno == code ? 0 : errno;
}
static int do_fail_below(const struct deed *deed) {
  char *path;
  if (asprintf(&path, "%s/below", deed->word[0]) < 0) return ENOMEM;
  int result = fails_with(ENOTDIR, open(path, O_RDONLY));
  free(path);
  return result;
}
static int do_fail_exclusive(const struct deed *deed) {
  return fails_with(EEXIST, open_for(deed, O_RDWR | O_CREAT | O_EXCL));
}
static int do_fail_directory(const struct deed *deed) {
  return fails_with(ENOTDIR, open_for(deed, O_RDONLY | O_DIRECTORY));
}

// Starts a child that executes, and learns through a descriptor closed by exec whether it did.
static int executed(const char *path, const char *preload, int how) {
  int failed[2], status, code = 0;
  TRY(pipe2(failed, O_CLOEXEC));
  pid_t child = fork();
  if (child < 0) return errno;
  if (child == 0) {
    char *arguments[] = {"program", NULL}, *plain[] = {NULL}, *loaded[] = {NULL, NULL};
    if (preload != NULL && asprintf(&loaded[0], "LD_PRELOAD=%s", preload) < 0) _exit(70);
    int fd = how == 0 ? -1 : open(path, (how == 1 ? O_PATH : O_RDONLY) | (how == 3 ? 0 : O_CLOEXEC));
    if (how == 0) execve(path, arguments, preload ? loaded : plain);
    else if (fd >= 0 && how == 1) syscall(SYS_execveat, fd, "", arguments, plain, AT_EMPTY_PATH);
    else if (fd >= 0) fexecve(fd, arguments, plain);
    code = errno;
    if (write(failed[1], &code, sizeof code) < 0) _exit(70);
    _exit(1);
  }
  close(failed[1]);
  if (read(failed[0], &code, sizeof code) < 0) code = errno;
  close(failed[0]);
  waitpid(child, &status, 0);
  return code ? code : status ? ENOEXEC : 0;
}
static int do_exec(const struct deed *deed) { return executed(deed->word[0], NULL, 0); }
static int do_execveat(const struct deed *deed) { return executed(deed->word[0], NULL, 1); }
static int do_fexecve(const struct deed *deed) { return executed(deed->word[0], NULL, 2); }
static int do_preload(const struct deed *deed) { return executed("/bin/true", deed->word[0], 0); }

// What was opened outside.
static int inherited(Action action, const struct deed *deed, int number) {
  struct job job = {".", NULL, NULL, atoi(deed->word[0]), number};
  return act_descriptor(action, &job);
}
static int do_fd_read(const struct deed *deed) {
  TRY(lseek(atoi(deed->word[0]), 0, SEEK_SET));
  return inherited(ActionReadInherited, deed, 0);
}
static int do_fd_map(const struct deed *deed) {
  struct stat info;
  TRY(fstat(atoi(deed->word[0]), &info));
  return info.st_size > 0 ? inherited(ActionMapInherited, deed, PROT_READ) : ENODATA;
}
static int do_fd_aio(const struct deed *deed) { return inherited(ActionReadAsync, deed, 0); }
static int do_fd_close(const struct deed *deed) {
  TRY(close(atoi(deed->word[0])));
  return 0;
}
static int do_fd_write(const struct deed *deed) {
  TRY(pwrite(atoi(deed->word[0]), "handed\n", 7, 0));
  return 0;
}

static int do_fd_receive(const struct deed *deed) {
  int fd;
  char byte, control[CMSG_SPACE(sizeof fd)];
  struct iovec part = {&byte, 1};
  struct msghdr message = {
    .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  TRY(recvmsg(atoi(deed->word[0]), &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT));
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (header == NULL) return EBADMSG;
  memcpy(&fd, CMSG_DATA(header), sizeof fd);
  return read_some(fd);
}

const struct named_way file_ways[] = {
  {"open", 1, do_open}, {"openat", 1, do_openat}, {"openat2", 1, do_openat2}, {"creat", 1, do_creat},
  {"read", 1, do_read}, {"pread", 1, do_pread}, {"readv", 1, do_readv}, {"preadv2", 1, do_preadv2},
  {"direct", 1, do_direct}, {"steps", 1, do_steps}, {"deep", 1, do_deep}, {"mmap", 1, do_mmap},
  {"mmap-shared", 1, do_mmap_shared}, {"mmap-populate", 1, do_mmap_populate},
  {"mmap-protect", 1, do_mmap_protect}, {"mmap-write", 1, do_mmap_write},
  {"mmap-write-later", 1, do_mmap_write_later}, {"mmap-exec", 1, do_mmap_exec}, {"hold-map", 1, do_hold_map},
  {"sendfile", 1, do_sendfile}, {"splice", 1, do_splice}, {"tee", 1, do_tee},
  {"copy-range", 2, do_copy_range}, {"reflink", 2, do_reflink}, {"truncate", 1, do_truncate},
  {"write", 1, do_write}, {"append", 1, do_append}, {"rewrite", 1, do_rewrite},
  {"fallocate", 1, do_fallocate}, {"chmod", 1, do_chmod}, {"utimes", 1, do_utimes},
  {"setxattr", 1, do_setxattr}, {"reopen", 1, do_reopen}, {"handle", 1, do_handle}, {"ring", 1, do_ring},
  {"ring-worker", 1, do_ring_worker}, {"ring-polled", 1, do_ring_polled}, {"stat", 1, do_stat},
  {"fail-below", 1, do_fail_below}, {"fail-exclusive", 1, do_fail_exclusive},
  {"fail-directory", 1, do_fail_directory}, {"exec", 1, do_exec}, {"execveat", 1, do_execveat},
  {"fexecve", 1, do_fexecve}, {"preload", 1, do_preload}, {"fd-read", 1, do_fd_read}, {"fd-map", 1, do_fd_map},
  {"fd-aio", 1, do_fd_aio}, {"fd-close", 1, do_fd_close}, {"fd-write", 1, do_fd_write},
  {"fd-receive", 1, do_fd_receive}, {NULL, 0, NULL},
};
