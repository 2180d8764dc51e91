/* What we read and write inside libraft's structs, and functions that are in its archive and not in its header. All of
 * it is here: it is right for one version, which is asserted when this is compiled and when a host is opened, and to be
 * looked at anew for any other. Private to raft/. */
#ifndef K3X_RAFT_ADAPTER_LIBRAFT_INT_H
#define K3X_RAFT_ADAPTER_LIBRAFT_INT_H

#include "base/check.h"

#include <raft.h>
#include <stdbool.h>

_Static_assert(RAFT_VERSION_NUMBER == 2201, "raft/adapter/libraft_int.h knows libraft 0.22.1: look at it for this one");

/* What was committed fires its callbacks here; the terms of the log in memory (0: not there). */
void LegacyFireCompletedRequests(struct raft *r);
raft_term TrailTermOf(const struct raft_trail *t, raft_index index);

static inline void libraft_check_version(void)
{
	CHECK(raft_version_number() == RAFT_VERSION_NUMBER);
}

static inline raft_term libraft_term_of(const struct raft *r, raft_index index)
{
	return TrailTermOf(&r->trail, index);
}

static inline raft_index libraft_last_applied(const struct raft *r)
{
	return r->last_applied;
}

/* Of the servers, committed or not. */
static inline const struct raft_configuration *libraft_configuration(const struct raft *r)
{
	return &r->configuration;
}

/* To be changed. */
static inline struct raft_configuration *libraft_configuration_of(struct raft *r)
{
	return &r->configuration;
}

static inline bool libraft_has_uncommitted_configuration(const struct raft *r)
{
	return r->configuration_uncommitted_index != 0;
}

/* The leader: nothing stands against a change of the members now. */
static inline bool libraft_may_change(const struct raft *r)
{
	return r->configuration_uncommitted_index == 0 && r->leader_state.promotee_id == 0 &&
	       r->leader_state.transferee == 0 && r->legacy.change == NULL;
}

static inline bool libraft_is_transferring(const struct raft *r)
{
	return r->transfer || r->leader_state.transferee;
}

static inline bool libraft_is_installing(const struct raft *r)
{
	return r->snapshot.installing;
}

/* The follower: it draws one at random each time; when its timer began. */
static inline unsigned *libraft_election_timeout(struct raft *r)
{
	CHECK(raft_state(r) == RAFT_FOLLOWER);
	return &r->follower_state.randomized_election_timeout;
}

static inline raft_time *libraft_election_timer(struct raft *r)
{
	return &r->election_timer_start;
}

static inline void libraft_forget_leader(struct raft *r)
{
	CHECK(raft_state(r) == RAFT_FOLLOWER);
	r->follower_state.current_leader.id = 0;
}

static inline void libraft_forget_vote(struct raft *r)
{
	r->voted_for = 0;
}

/* It would format each line, into one static buffer, to throw it away. */
static inline void libraft_silence(struct raft *r)
{
	r->tracer = NULL;
}

#endif
