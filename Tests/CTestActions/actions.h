#ifndef ACTIONS_H
#define ACTIONS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/types.h>
#include <unistd.h>

#include "CTestActions.h"

struct job {
  const char *directory, *name, *other;
  int descriptor, number;
};

// Leaves the action with errno when a call failed.
#define TRY(call) \
  do { \
    if ((call) < 0) return errno; \
  } while (0)

enum { note_room = 8192 };
extern int64_t *act_notes;

int act_file(Action action, const struct job *job);
int act_ring(const struct job *job);
int act_call(const struct job *job);
int act_descriptor(Action action, const struct job *job);
int act_process(Action action, const struct job *job);
int act_read_name(const char *name);

#endif
