/* Members that are not where the configuration says: libraft has no change of an address. Raft thread. Private to
 * raft/. See moved.c. */
#ifndef K3X_RAFT_MOVED_H
#define K3X_RAFT_MOVED_H

#include "base/mem/str.h"
#include "raft/raft_limits.h"

struct moved_table {
	struct moved {
		uint64_t id; /* 0: free */
		char address[RAFT_ADDRESS_BYTES_MAX];
		char told[RAFT_ADDRESS_BYTES_MAX]; /* the last record of it; "": none yet */
	} rows[RAFT_MEMBERS_MAX];
};

/* `address` unless it has moved. */
const char *moved_address(const struct moved_table *t, uint64_t id, const char *address);
/* The members have changed: the rows of all others are free. */
void moved_members(struct moved_table *t, const uint64_t *ids, size_t n);
/* A record says so. is_reached: there is a connection to it where it is taken to be, which is then no mistake. */
void moved_tell(struct moved_table *t, uint64_t id, const char *address, bool is_reached);
/* A member has said so itself, when it greeted; it was known at `known`. What is no address is not heard. */
void moved_greet(struct moved_table *t, uint64_t id, const char *known, struct slice address);
/* Is its address what it said itself, and no record yet? */
bool moved_has_said_so(const struct moved_table *t, uint64_t id);

#endif
