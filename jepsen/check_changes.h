/* Everything a history says about the changes of keys, from whoever says it: acknowledged writes, events of watches,
 * objects in lists, reads and caches. Sorted two ways, each change once. What watchers and lists are held against. */
#ifndef K3X_JEPSEN_CHECK_CHANGES_H
#define K3X_JEPSEN_CHECK_CHANGES_H

#include "jepsen/check_int.h"

struct change {
	int64_t revision;
	int64_t value; /* HISTORY_NIL: deleted */
	uint32_t key_id;
	uint32_t record;       /* who says so; the acknowledgement where there is one */
	uint32_t other_record; /* one that says something else, or HISTORY_NONE */
	bool is_acknowledged;
};

struct changes {
	struct change *by_revision; /* then by key */
	struct change *by_key;      /* then by revision */
	size_t count;
	size_t *key_at;           /* by key id: its first in by_key; one more at the end */
	uint32_t *unknown_delete; /* by key id: first record of a delete whose outcome is unknown, or HISTORY_NONE */
};

void changes_collect(struct check_context *c, struct arena *a, struct changes *ret);

/* The first in by_revision with this revision or more. */
size_t changes_seek(const struct changes *s, int64_t revision);

/* The newest change of a key at or below a revision; NULL when none is known. */
const struct change *changes_newest(const struct changes *s, uint32_t key_id, int64_t revision);

#endif
