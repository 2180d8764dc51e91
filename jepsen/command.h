/* Runs a program to its end, in a network namespace where asked: ip, nft, mount and the like. Blocks; any thread. */
#ifndef K3X_JEPSEN_COMMAND_H
#define K3X_JEPSEN_COMMAND_H

#include "base/err.h"
#include "base/mem/str.h"

#include <sys/types.h>

enum { NAMESPACE_OURS = -1 };

/* Starts a program with 0 read from `in_fd`, 1 and 2 written to `out_fd` (-1: /dev/null), in the namespace of `ns_fd`
 * (NAMESPACE_OURS: as the caller). env NULL: ours. It dies with the harness, because both are in one jail. */
int command_start(
        int ns_fd, const char *const *argv, const char *const *env, int in_fd, int out_fd, pid_t *ret, struct err *err);

/* Feeds it `input` (may be NULL), adds what it wrote to `output` (may be NULL). Fails unless it exits with 0; the error
 * carries its words. */
int command_run(int ns_fd, const char *const *argv, const char *input, struct strbuf *output, struct err *err);

/* The same for one line of words without quotes. */
__attribute__((format(printf, 3, 4))) int command_line(int ns_fd, struct err *err, const char *fmt, ...);

#endif
