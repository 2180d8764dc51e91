/* Members that are not where the configuration says: libraft has no change of an address. Raft thread. Private to
 * raft/. See moved.c. */
#ifndef K3X_RAFT_MOVED_H
#define K3X_RAFT_MOVED_H

#include "raft/raft_node.h"

struct moved_table {
	struct moved {
		uint64_t id; /* 0: free */
		char address[RAFT_ADDRESS_BYTES_MAX];
		char told[RAFT_ADDRESS_BYTES_MAX]; /* the last record of it; "": none yet */
	} rows[RAFT_MEMBERS_MAX];
};

/* `address` unless it has moved. */
const char *moved_address(const struct moved_table *t, uint64_t id, const char *address);
/* A record says so: a row of those who are no members in `members` may be used for it. is_reached: there is a connection
 * to it where it is taken to be, which is then no mistake. */
void moved_tell(struct moved_table *t, const struct raft_node_status *members, uint64_t id, const char *address,
        bool is_reached);
/* It has said so itself, when it greeted. Who is no member, and what is no address, is not heard. */
void moved_greet(struct moved_table *t, const struct raft_node_status *members, uint64_t id, struct slice address);
/* Is its address what it said itself, and no record yet? */
bool moved_has_said_so(const struct moved_table *t, uint64_t id);

#endif
