/* Snapshots that there are, in a folder and in an S3 store, by their names: NAME-NODE-SECONDS, packed with .lz4 behind.
 * What is in the files is not looked at: k3x-store snapshot ls does that. */
#ifndef K3X_TOOLS_SNAPSHOTS_LIST_H
#define K3X_TOOLS_SNAPSHOTS_LIST_H

#include "tools/snapshots/s3.h"

struct snapshot_entry {
	const char *name, *location; /* "file:///var/lib/...", "s3://bucket/folder/name" */
	int64_t size, created_s;     /* as its name says */
	bool is_in_s3;
};

struct snapshot_list {
	struct arena arena;
	struct snapshot_entry *entries; /* newest first, when it is sorted */
	size_t n, cap;
	struct s3_settings s3; /* of the store that was asked, texts in the arena; for who records it */
};

/* Adds those of a folder; one that is not there has none. */
int snapshot_list_folder(struct snapshot_list *l, const char *dir, struct err *err);
int snapshot_list_s3(struct snapshot_list *l, const struct s3 *s, struct err *err);
void snapshot_list_sort(struct snapshot_list *l);
void snapshot_list_release(struct snapshot_list *l);

/* Is it a snapshot's name? And when was it made. */
bool snapshot_name_parse(const char *name, int64_t *ret_created_s);
/* Is it one of NAME-NODE? Whatever the time; node NULL: of any. */
bool snapshot_name_is_of(const char *snapshot, const char *name, const char *node);

/* Removes what is older than the newest `keep` of NAME-NODE, of each node and place by itself; keep 0: nothing.
 * removed(arg, e) for each. The first error ends it. */
struct snapshot_pruning {
	const char *dir;
	const struct s3 *s3;
	const char *name, *node; /* NULL: of all */
	int64_t keep, keep_s3;
	void (*removed)(void *arg, const struct snapshot_entry *e);
	void *arg;
};
int snapshot_prune(struct snapshot_list *sorted, const struct snapshot_pruning *p, struct err *err);
/* Removes one. */
int snapshot_remove(const struct snapshot_entry *e, const char *dir, const struct s3 *s, struct err *err);

#endif
