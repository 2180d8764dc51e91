/* Removing versions from their blocks: a step of compaction. See version_trim.c.
 *
 *     init -> pass, kill (many) -> finish -> release        in one transaction of the caller's */
#ifndef K3X_STORE_MACHINE_DATABASE_VERSION_TRIM_H
#define K3X_STORE_MACHINE_DATABASE_VERSION_TRIM_H

#include "store/machine/database/versions.h"

struct version_ids {
	int64_t *list;
	size_t n, cap;
};

struct version_trim {
	struct db *db;
	struct version_ids dead;        /* to be removed, if they are there */
	struct version_ids tidy;        /* first ids of blocks that may have to be written anew */
	int64_t passed_from, passed_to; /* the versions that the walk looked at; 0: none */
	bool has_changed;
};

void version_trim_init(struct version_trim *t, struct db *db);
/* The walk of compaction has looked at this version; in order. */
void version_trim_pass(struct version_trim *t, int64_t id);
/* This version goes. One that is gone already is no harm. */
void version_trim_kill(struct version_trim *t, int64_t id);
/* Does it. *ret_changed: what was there before is not all there now, or lies elsewhere. */
int version_trim_finish(struct version_trim *t, bool *ret_changed, struct err *err);
void version_trim_release(struct version_trim *t);

#endif
