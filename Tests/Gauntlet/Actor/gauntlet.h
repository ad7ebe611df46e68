#ifndef GAUNTLET_H
#define GAUNTLET_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/types.h>
#include <unistd.h>

// Leaves the way with errno when a call failed.
#define TRY(call) \
  do { \
    if ((call) < 0) return errno; \
  } while (0)

enum { most_words = 4 };

// What a way is done to: paths mostly, as bytes.
struct deed {
  const char *word[most_words];
  int words;
};

// A way of reaching a file: 0 when it was done, else errno.
typedef int way(const struct deed *deed);

struct named_way {
  const char *name;
  int words;
  way *run;
};

extern const struct named_way file_ways[], name_ways[], other_ways[], space_ways[];

// How the program goes on: a block between braces, and how to tell that it is over.
struct block {
  int from, to;
};

// Runs the steps of a block in this process.
void run_block(struct block block);
// The steps of a block as text, for a process that is executed to run them.
char *block_text(struct block block);
// Runs a block in the shape of process tree that is called `name`; 0 when there is no such shape.
int run_shape(const char *name, char **words, int count, struct block block);
// Arguments for executing `program` so that it runs a block, and writes a byte to `done` in the end.
char **block_arguments(const char *program, const char *script, struct block block, int done);

// Does something in a child, because it changes what a process has for its own; its result.
int apart(way *run, const struct deed *deed);
int read_path(const char *path);
void complain(const char *what);

#endif
