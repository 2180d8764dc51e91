/* See moved.h. Two tell of addresses: a member itself, when it greets on a connection that it made, so that is where it
 * is; and records in the replicated state, for members that moved at the same time never meet at the addresses they
 * know of each other. A record may have been read late: it does not take away an address where the member is reached,
 * nor, being the first or one that was read before, what the member said itself. */
#include "raft/moved.h"

#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>

static const struct moved *find(const struct moved_table *t, uint64_t id)
{
	for (size_t i = 0; i < RAFT_MEMBERS_MAX; i++)
		if (t->rows[i].id == id)
			return &t->rows[i];
	return NULL;
}

/* Its own row or a free one; NULL: there is none. */
static struct moved *row_of(struct moved_table *t, uint64_t id)
{
	struct moved *row = (struct moved *)find(t, id);
	if (!row && (row = (struct moved *)find(t, 0)))
		*row = (struct moved){.id = id};
	return row;
}

void moved_members(struct moved_table *t, const uint64_t *ids, size_t n)
{
	for (size_t i = 0; i < RAFT_MEMBERS_MAX; i++) {
		bool is_in = false;
		for (size_t k = 0; k < n && !is_in; k++)
			is_in = ids[k] == t->rows[i].id;
		if (!is_in)
			t->rows[i].id = 0;
	}
}

const char *moved_address(const struct moved_table *t, uint64_t id, const char *address)
{
	const struct moved *row = find(t, id);
	return row ? row->address : address;
}

void moved_tell(struct moved_table *t, uint64_t id, const char *address, bool is_reached)
{
	struct moved *row = row_of(t, id);
	if (!row || strcmp(row->told, address) == 0)
		return;
	if ((row->told[0] && !is_reached) || !row->address[0])
		snprintf(row->address, sizeof row->address, "%s", address);
	snprintf(row->told, sizeof row->told, "%s", address);
}

void moved_greet(struct moved_table *t, uint64_t id, const char *known, struct slice address)
{
	char text[RAFT_ADDRESS_BYTES_MAX];
	if (!address.len || address.len >= sizeof text || memchr(address.ptr, 0, address.len))
		return;
	snprintf(text, sizeof text, "%.*s", SLICE_FMT(address));
	known = moved_address(t, id, known);
	struct moved *row = strcmp(known, text) == 0 ? NULL : row_of(t, id);
	if (!row)
		return;
	log_info("raft", "a member has moved", "member=%016" PRIx64 " from=%s to=%s", id, known, text);
	memcpy(row->address, text, sizeof text);
}

bool moved_has_said_so(const struct moved_table *t, uint64_t id)
{
	const struct moved *row = find(t, id);
	return row && strcmp(row->address, row->told) != 0;
}
