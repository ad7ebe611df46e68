// An actor of the Gauntlet: does a program of deeds, in shapes of process trees, and tells what was true.
//
//   gauntlet-actor --report FD --base NANOSECONDS [--done FD] [SCRIPT] -- PROGRAM
//
// PROGRAM is words between spaces, where %NN is a byte:
//
//   do ID WAY WORD... ;      does a deed, and reports it
//   at MS                    waits until so many milliseconds after the base, which is a CLOCK_MONOTONIC
//   inherit FD PATH ;        opens a file under that number, for whoever is executed later
//   handover FD PATH ;       the same, but inside a message of a socket
//   forge NAME ;             takes another name and command line
//   noise N ;                so many processes that do nothing
//   SHAPE WORD... { ... }    does what is between the braces in that shape
//
// A report is 32 bytes on a pipe, which no file system holds: it says which deed, by whom, with what result, and
// the wall clock before and after.
#include "gauntlet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

struct report {
  uint32_t magic, deed;
  int32_t pid, result;
  int64_t before, after;
};

static char **token;
static int tokens;
static int report_to = -1;
static int64_t base;
static char **command_line;

void complain(const char *what) {
  fprintf(stderr, "gauntlet-actor[%d]: %s: %s\n", getpid(), what, strerror(errno));
}

static int64_t clock_now(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static int hex(char c) {
  return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// The bytes of a word, in new memory: the words themselves stay, to be handed on.
static char *bytes_of(const char *word) {
  char *bytes = malloc(strlen(word) + 1), *to = bytes;
  for (const char *from = word; *from;) {
    if (*from == '%' && hex(from[1]) >= 0 && hex(from[2]) >= 0) {
      *to++ = (char)(hex(from[1]) * 16 + hex(from[2]));
      from += 3;
    } else {
      *to++ = *from++;
    }
  }
  *to = 0;
  return bytes;
}

static const struct named_way *find_way(const char *name) {
  const struct named_way *tables[] = {file_ways, name_ways, other_ways, space_ways};
  for (int i = 0; i < 4; i++)
    for (const struct named_way *each = tables[i]; each->name; each++)
      if (!strcmp(each->name, name)) return each;
  return NULL;
}

static void do_deed(int from, int to) {
  const struct named_way *found = to - from >= 2 ? find_way(token[from + 1]) : NULL;
  struct deed deed = {.words = to - from - 2};
  if (found == NULL || deed.words != found->words) {
    fprintf(stderr, "gauntlet-actor: no such way: %s, %d words\n", token[from + 1], deed.words);
    exit(64);
  }
  for (int i = 0; i < deed.words; i++) deed.word[i] = bytes_of(token[from + 2 + i]);
  struct report report = {.magic = 0x6c747561, .deed = (uint32_t)atoi(token[from]), .pid = getpid()};
  report.before = clock_now(CLOCK_REALTIME);
  report.result = found->run(&deed);
  report.after = clock_now(CLOCK_REALTIME);
  if (write(report_to, &report, sizeof report) != sizeof report) complain("report");
  for (int i = 0; i < deed.words; i++) free((char *)deed.word[i]);
}

static void wait_until(int64_t milliseconds) {
  int64_t until = base + milliseconds * 1000000;
  struct timespec time = {until / 1000000000, until % 1000000000};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) == EINTR) continue;
}

static void inherit(int number, const char *word, int in_message) {
  char *path = bytes_of(word);
  int fd = open(path, O_RDWR);
  if (fd < 0) fd = open(path, O_RDONLY);
  free(path);
  if (fd < 0) return complain("inherit");
  if (!in_message) {
    dup2(fd, number);
    close(fd);
    return;
  }
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) < 0) return complain("socketpair");
  char byte = 0, control[CMSG_SPACE(sizeof fd)];
  struct iovec part = {&byte, 1};
  struct msghdr message = {
    .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof fd);
  memcpy(CMSG_DATA(header), &fd, sizeof fd);
  if (sendmsg(ends[0], &message, 0) < 0) complain("sendmsg");
  dup2(ends[1], number);
  close(ends[0]);
  close(ends[1]);
  close(fd);
}

static void forge(const char *word) {
  char *name = bytes_of(word);
  prctl(PR_SET_NAME, name);
  for (int i = 0; command_line[i]; i++) memset(command_line[i], 'x', strlen(command_line[i]));
  snprintf(command_line[0], strlen(command_line[0]) + 1, "%s", name);
  free(name);
}

static void noise(int count) {
  for (int i = 0; i < count; i++) {
    pid_t child = fork();
    if (child == 0) _exit(0);
    if (child > 0) waitpid(child, NULL, 0);
  }
}

static int after_brace(int open) {
  int depth = 0;
  for (int at = open; at < tokens; at++) {
    if (!strcmp(token[at], "{")) depth++;
    if (!strcmp(token[at], "}") && --depth == 0) return at + 1;
  }
  fprintf(stderr, "gauntlet-actor: a brace is missing\n");
  exit(64);
}

static int end_of(int from, const char *mark, int limit) {
  int at = from;
  while (at < limit && strcmp(token[at], mark)) at++;
  return at;
}

void run_block(struct block block) {
  for (int at = block.from; at < block.to;) {
    const char *word = token[at];
    if (!strcmp(word, "at")) {
      wait_until(atoll(token[at + 1]));
      at += 2;
      continue;
    }
    int end = end_of(at, ";", block.to), open = end_of(at, "{", block.to);
    if (open < end) {
      int next = after_brace(open);
      struct block inner = {open + 1, next - 1};
      if (!run_shape(word, token + at + 1, open - at - 1, inner)) {
        fprintf(stderr, "gauntlet-actor: no such shape: %s\n", word);
        exit(64);
      }
      at = next;
      continue;
    }
    if (!strcmp(word, "do")) do_deed(at + 1, end);
    else if (!strcmp(word, "inherit")) inherit(atoi(token[at + 1]), token[at + 2], 0);
    else if (!strcmp(word, "handover")) inherit(atoi(token[at + 1]), token[at + 2], 1);
    else if (!strcmp(word, "forge")) forge(token[at + 1]);
    else if (!strcmp(word, "noise")) noise(atoi(token[at + 1]));
    else {
      fprintf(stderr, "gauntlet-actor: no such step: %s\n", word);
      exit(64);
    }
    at = end + 1;
  }
}

char *block_text(struct block block) {
  size_t room = 1;
  for (int i = block.from; i < block.to; i++) room += strlen(token[i]) + 1;
  char *text = malloc(room), *to = text;
  *to = 0;
  for (int i = block.from; i < block.to; i++) to += sprintf(to, "%s ", token[i]);
  return text;
}

char **block_arguments(const char *program, const char *script, struct block block, int done) {
  char **words = calloc(12, sizeof *words);
  int count = 0;
  words[count++] = strdup(program);
  if (script != NULL) words[count++] = strdup(script);
  words[count++] = strdup("--report");
  if (asprintf(&words[count++], "%d", report_to) < 0) exit(70);
  words[count++] = strdup("--base");
  if (asprintf(&words[count++], "%lld", (long long)base) < 0) exit(70);
  words[count++] = strdup("--done");
  if (asprintf(&words[count++], "%d", done) < 0) exit(70);
  words[count++] = strdup("--");
  words[count++] = block_text(block);
  return words;
}

static void parse(const char *text) {
  char *copy = strdup(text), *rest = copy, *word;
  token = calloc(strlen(text) + 2, sizeof *token);
  while ((word = strsep(&rest, " \n")) != NULL)
    if (*word) token[tokens++] = word;
}

int main(int count, char **words) {
  int done = -1, at = 1;
  command_line = words;
  // Run as an interpreter, it opens its script.
  if (at < count && words[at][0] != '-') {
    if (read_path(words[at])) complain("script");
    at++;
  }
  for (; at + 1 < count && strcmp(words[at], "--"); at += 2) {
    if (!strcmp(words[at], "--report")) report_to = atoi(words[at + 1]);
    else if (!strcmp(words[at], "--base")) base = atoll(words[at + 1]);
    else if (!strcmp(words[at], "--done")) done = atoi(words[at + 1]);
    else return 64;
  }
  if (at + 2 != count || report_to < 0) return 64;
  parse(words[at + 1]);
  run_block((struct block){0, tokens});
  if (done >= 0 && write(done, "x", 1) != 1) complain("done");
  return 0;
}
