// What child processes of the kernel tests do. Swift can neither fork nor go on safely in a forked child, so
// the child's part is C: each action is one way to touch a file or to make a process.
#ifndef CTESTACTIONS_H
#define CTESTACTIONS_H

#include <stdint.h>

typedef enum __attribute__((enum_extensibility(closed))) Action : int32_t {
  // Files: `name` is touched, `other` is the second name where there is one.
  ActionOpen,         // open, close
  ActionOpenat2,      // openat2, close
  ActionCreate,       // creat, close
  ActionRead,         // open, read, close
  ActionReadAt,       // open, pread, close
  ActionMap,          // open, mmap, touch the page, close
  ActionSendFile,     // sendfile from name to other
  ActionSplice,       // splice from name into a pipe
  ActionCopyRange,    // copy_file_range from name to other
  ActionTruncate,     // truncate(2), no open
  ActionReadMoveRead, // reads name/a, renames name to other, reads other/a
  ActionTemporary,    // O_TMPFILE, write, linkat as other
  ActionLink,
  ActionRename,
  ActionExchange,
  ActionMakeDirectory,
  ActionUnlink,
  ActionRemoveDirectory,
  ActionReopen,       // O_PATH, then open of /proc/self/fd/N, read
  ActionOpenHandle,   // name_to_handle_at, open_by_handle_at, read
  ActionLookAt,       // O_PATH, stat, access, readlink of other, getxattr
  ActionSetAttribute, // setxattr
  ActionRing,         // io_uring open and read; number: 0 inline, 1 io-wq (IOSQE_ASYNC), 2 SQPOLL
  // Descriptors
  ActionReadInherited,  // reads `descriptor`
  ActionMapInherited,   // maps `descriptor` and touches the page; number: PROT_*
  ActionReadAsync,      // reads `descriptor` by libaio's system calls
  ActionReceiveAndRead, // a second child (note 0) gets the open file over SCM_RIGHTS and reads it
  ActionHolderCloses,   // a second child (note 0) outlives the opener and closes
  // Processes
  ActionExecute,             // execve(name, other)
  ActionExecuteFromThread,   // the same, called by a thread that is not the leader
  ActionExecuteAnonymous,    // copies name into a memfd and executes that
  ActionOpenThenExecute,     // opens and closes other, then execve(name, other)
  ActionLeaderExits,         // the leader exits; a thread (note 0) waits, then reads
  ActionDoubleFork,          // `number` times: fork, setsid, fork, exit; the grandchild opens name and exits
  ActionCloneParent,         // clone(CLONE_PARENT); the new process (note 0) opens name and exits
  ActionForkTimes,           // `number` forks; note 2i: pid, note 2i+1: CLOCK_MONOTONIC when it first ran
  ActionForkStorm,           // `number` forks that exit at once, pinned to the CPU in `descriptor` unless -1
  ActionManyFiles,           // creates `number` empty files
  // Namespaces
  ActionReadInNamespace,     // unshare(CLONE_NEWNS), then open, read, close
  ActionUserOverlay,         // an ordinary user in own namespaces: overlay lower:empty on merged, read
  // Calls that audit rules are about
  ActionCall,                // the call named `name` (calls.c); `other` is its path where it has one
} Action;

// Forks a child that changes to `directory`, does the action and exits with 0 or an errno.
// Returns its pid, or -errno.
// One at a time: the notes are those of the child started last.
int act_start(
  Action action, const char *directory, const char *name, const char *other, int descriptor, int number);
// Waits for a child of this process: 0, its exit code, or 1000 plus the signal that ended it.
int act_finish(int pid);
// The same without waiting; -1 while it runs.
int act_poll(int pid);
int64_t act_note(int index);

// FAN_MARK_MOUNT, which the product does not use.
int act_mark_mount(int group, uint64_t mask, const char *path);
// STATX_MNT_ID_UNIQUE of the mount at `path`; 0 where the kernel does not tell.
uint64_t act_unique_mount(const char *path);

#endif
