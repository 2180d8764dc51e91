/* What the commands that work on files share. */
#ifndef K3X_TOOLS_STORE_OFFLINE_H
#define K3X_TOOLS_STORE_OFFLINE_H

#include "base/flags.h"
#include "base/json_lib.h"
#include "store/snapshot/snapshot.h"
#include "tools/store/tool_int.h"

/* Parses the flags of a command that takes `min` to `max` arguments, `what`. 0: go on; else *exit_code holds what to
 * return. */
int store_offline_parse(struct flags *f, struct arena *a, int argc, char **argv, size_t min, size_t max,
        const char *what, int *exit_code);

void store_print_info(const struct store_file_info *i, bool json);
void store_print_users(const struct store_users *u); /* nothing when there are none */
/* Members for -o json: what is counted in a file, and its users. */
void store_set_counts(json_t *object, const struct store_file_info *i);
void store_set_users(json_t *object, const struct store_users *u);

/* The sha256, cluster and time in a snapshot's note, for people. 0: it does not say. */
int64_t store_note_created_s(const char *note);
void store_note_cluster(const char *note, char ret[17]); /* "" when it does not say */

#endif
