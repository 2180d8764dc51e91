/* A table of mounts as /proc/PID/mountinfo gives it, one a line, oldest first: proc(5). Reading it blocks, briefly; all
 * else is pure. Any thread. */
#ifndef K3X_NODE_GROUND_MOUNT_TABLE_H
#define K3X_NODE_GROUND_MOUNT_TABLE_H

#include "base/mem/arena.h"
#include "base/mem/str.h"

#include <sys/types.h>

/* Of a process; 0: ours. free(*ret_text), whatever comes of it: one that can't be read is empty. */
struct slice mount_table_read(pid_t pid, char **ret_text);

struct mount_line {
	struct slice device; /* "0:45": the same for all mounts of one file system */
	struct slice point;
};

/* Takes the first line off a table. Not of an empty one. */
struct mount_line mount_table_cut(struct slice *table);

/* How often `path` is a mount point. */
unsigned mount_count(struct slice table, const char *path);

/* It lies in the folder, and is not the folder itself. */
bool mount_is_below(struct slice point, const char *dir);

/* Mount points below a folder that are meant, newest first: the order in which they can be undone. In the arena. */
size_t mounts_below(struct arena *a, struct slice table, const char *dir,
        bool (*is_meant)(void *arg, const struct mount_line *m), void *arg, const char *const **ret);

#endif
