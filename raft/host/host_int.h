/* What host.c, read_index.c and members.c share. */
#ifndef K3X_RAFT_HOST_HOST_INT_H
#define K3X_RAFT_HOST_HOST_INT_H

#include "raft/adapter/adapter.h"
#include "raft/host/raft_host.h"

#include "base/check.h"

_Static_assert(
        sizeof(raft_id) == sizeof(uint64_t) && sizeof(raft_index) == sizeof(uint64_t), "ids and indexes are 64 bits");

struct raft_host {
	struct raft raft;
	struct raft_adapter adapter;
	struct raft_fsm fsm;
	struct raft_host_config c;
	struct list_link proposals; /* raft_proposal: not yet packed */
	struct list_link packs;     /* pack: in libraft's hands */
	unsigned n_packs;
	struct list_link reads;   /* raft_read, oldest first */
	struct list_link changes; /* change_request */
	uint64_t round;           /* of the read probes sent last */
	uint64_t round_term, confirmed_round;
	uint64_t answered[64]; /* by server in the configuration: ids that answered this round */
	size_t n_answered;
	struct {
		uint64_t id, at_ms;
	} heard[64];            /* when each server last said something */
	uint64_t pushed_commit; /* the others have been told that this is committed, in this term */
	uint64_t told;          /* the machine knows that it has everything up to here */
	struct raft_transfer transfer;
	bool was_leader, started, closing, is_sending_state, is_flushing;
	uint64_t was_term, was_leader_id;
};

/* members.c */
bool host_is_member(const struct raft_host *h, uint64_t id); /* of the configuration, committed or not */

/* host.c */
uint64_t host_last_heard(const struct raft_host *h, uint64_t id); /* 0: never */

/* read_index.c */
void host_reads_advance(struct raft_host *h);
void host_reads_fail(struct raft_host *h, int status);
void host_reads_resend(struct raft_host *h);
void host_receive_probe(struct raft_host *h, const struct frame *f);
void host_receive_answer(struct raft_host *h, const struct frame *f);

/* members.c */
void host_changes_fail(struct raft_host *h);

#endif
