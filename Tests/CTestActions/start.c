#include "actions.h"

#include <linux/stat.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

int64_t *act_notes;

int act_start(
  Action action, const char *directory, const char *name, const char *other, int descriptor, int number) {
  if (act_notes == NULL) {
    void *page = mmap(
      NULL, note_room * sizeof *act_notes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) return -errno;
    act_notes = page;
  }
  memset(act_notes, 0, note_room * sizeof *act_notes);
  struct job job = {directory, name, other, descriptor, number};
  pid_t pid = fork();
  if (pid < 0) return -errno;
  if (pid > 0) return pid;
  // What a program run by the child prints is nobody's business.
  int nowhere = open("/dev/null", O_WRONLY);
  if (nowhere < 0 || dup2(nowhere, STDOUT_FILENO) < 0 || chdir(directory) < 0) _exit(errno);
  if (action < ActionRing) _exit(act_file(action, &job));
  if (action == ActionRing) _exit(act_ring(&job));
  if (action < ActionExecute) _exit(act_descriptor(action, &job));
  if (action == ActionCall) _exit(act_call(&job));
  _exit(act_process(action, &job));
}

static int outcome(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

int act_finish(int pid) {
  int status;
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) return errno;
  return outcome(status);
}

int act_poll(int pid) {
  int status;
  pid_t found = waitpid(pid, &status, WNOHANG);
  return found == 0 ? -1 : found < 0 ? errno : outcome(status);
}

int64_t act_note(int index) {
  return act_notes == NULL || index < 0 || index >= note_room ? 0 : act_notes[index];
}

int act_mark_mount(int group, uint64_t mask, const char *path) {
  return fanotify_mark(group, FAN_MARK_ADD | FAN_MARK_MOUNT, mask, AT_FDCWD, path) < 0 ? errno : 0;
}

uint64_t act_unique_mount(const char *path) {
  struct statx info;
  memset(&info, 0, sizeof info);
  if (syscall(SYS_statx, AT_FDCWD, path, 0, 0x4000u, &info) < 0 || !(info.stx_mask & 0x4000u)) return 0;
  return info.stx_mnt_id;
}
