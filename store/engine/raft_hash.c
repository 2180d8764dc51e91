/* Are the replicas the same? Every replica keeps its rolling hash as it was after certain entries of the log, the same
 * ones everywhere. Once in a while the leader asks the others for theirs, and whoever differs from the majority is
 * fenced: it answers nothing any more (etcd's "corrupt cluster"), and gets the leader's whole state in place of its
 * own. A leader that finds itself the one that differs hands over first. Where there is no majority for either side
 * nobody can say who is right: that is logged, and left to people.
 *
 *     leader: HASH(index) --> others: HASH_ANSWER(index, hash or "not kept") --> when all have, or time is up: judge
 *         --> FENCE(index) to each that differs
 *
 * What the hashes find is a state machine that went another way (a bug, a bit that flipped in memory). What rots on
 * disk after it was written is found by the checksums of pages (page_file.c) when it is read, or in the background
 * (page_checker.c): that replica knows it by itself, and is fenced and given the leader's state in the same way. One
 * that is alone goes on with what can be read, and says so (store_stats.rotten_alone). */
#include "store/engine/raft_hash_int.h"

#include "base/log.h"
#include "store/engine/raft_state_int.h"
#include "store/engine/raft_tell_int.h"

#include <inttypes.h>

enum { HASH_ROUND_MS = 5000 };

/* Apply thread. */
void hashes_note(struct raft_engine *e, uint64_t index, uint64_t hash)
{
	struct kept_hashes *k = &e->hashes;
	pthread_mutex_lock(&k->lock);
	k->at[k->next++ % HASHES_KEPT] = (struct kept_hash){index, hash};
	pthread_mutex_unlock(&k->lock);
}

/* The state was replaced: what it went through before is another's. Apply thread. */
void hashes_clear(struct raft_engine *e)
{
	struct kept_hashes *k = &e->hashes;
	pthread_mutex_lock(&k->lock);
	memset(k->at, 0, sizeof k->at);
	k->next = 0;
	pthread_mutex_unlock(&k->lock);
}

static bool lookup(struct raft_engine *e, uint64_t index, uint64_t *ret)
{
	struct kept_hashes *k = &e->hashes;
	bool found = false;
	pthread_mutex_lock(&k->lock);
	for (size_t i = 0; i < HASHES_KEPT && !found; i++) {
		found = k->at[i].index == index;
		*ret = k->at[i].hash;
	}
	pthread_mutex_unlock(&k->lock);
	return found;
}

/* The newest but a few: the others should have it by now. 0: none. */
static uint64_t choose_index(struct raft_engine *e)
{
	struct kept_hashes *k = &e->hashes;
	uint64_t index = 0;
	pthread_mutex_lock(&k->lock);
	if (k->next > 0)
		index = k->at[(k->next > 2 ? k->next - 3 : 0) % HASHES_KEPT].index;
	pthread_mutex_unlock(&k->lock);
	return index;
}

/* ---- the round, on the leader's raft thread ---- */

enum { HAND_OVER_MS = 1000 };

static void hand_over(struct raft_engine *e)
{
	struct err err = ERR_INIT;
	uint64_t now = loop_now_ms(raft_node_loop(e->node));
	if (!e->is_leader || (e->handed_ms && now - e->handed_ms < HAND_OVER_MS))
		return;
	e->handed_ms = now;
	if (raft_host_transfer(engine_host(e), 0, &err) != 0)
		log_warn("store", "leadership not handed over", "error=\"%s\"", err.msg);
}

static void fence_for(struct raft_engine *e, const char *why)
{
	RAFT_THREAD(e);
	bool was = atomic_exchange(&e->is_fenced, true);
	if (!was || e->is_fenced_first)
		log_error("store", "fenced: this replica takes the leader's state", "why=\"%s\" applied=%" PRId64, why,
		        atomic_load(&e->core.applied_index));
	hand_over(e);
}

/* Something in the database is not what was written: is there another copy of it? */
static void look_at_rot(struct raft_engine *e)
{
	struct arena a = ARENA_INIT;
	struct raft_host_member *m;
	if (!atomic_load(&e->core.rot.is_there) || (atomic_load(&e->is_fenced) && !e->is_fenced_first))
		return;
	size_t n = raft_host_members(engine_host(e), &a, &m);
	arena_release(&a);
	if (n == 0)
		return;
	if (n > 1) {
		fence_for(e, "its database is rotten");
		e->is_fenced_first = false;
		return;
	}
	atomic_store(&e->rotten_alone, atomic_load(&e->core.rot.found));
	if (e->is_fenced_first) {
		e->is_fenced_first = false;
		atomic_store(&e->is_fenced, false);
		pthread_mutex_lock(&e->queue.lock); /* there may be something to apply now */
		pthread_cond_broadcast(&e->queue.wake);
		pthread_mutex_unlock(&e->queue.lock);
	}
}

static void fence(struct raft_engine *e, uint64_t id, uint64_t index)
{
	log_error("store", "replica differs from the majority", "member=%016" PRIx64 " index=%" PRIu64, id, index);
	if (id == raft_host_id(engine_host(e)))
		hashes_fence_self(e);
	else
		peers_fence(e, id, index);
}

/* How many say the same as number i does. */
static size_t votes_for(const struct hash_round *r, size_t i)
{
	size_t n = 0;
	for (size_t k = 0; k < r->n; k++)
		n += r->answers[k].hash == r->answers[i].hash;
	return n;
}

static void judge(struct raft_engine *e)
{
	struct hash_round *r = &e->hash_round;
	for (size_t i = 0; i < r->n; i++) {
		if (votes_for(r, i) <= r->voters / 2)
			continue;
		for (size_t k = 0; k < r->n; k++)
			if (r->answers[k].hash != r->answers[i].hash)
				fence(e, r->answers[k].id, r->index);
		r->n = 0;
		return;
	}
	for (size_t i = 1; i < r->n; i++)
		if (r->answers[i].hash != r->answers[0].hash) {
			log_error("store", "replicas differ and no majority says how it should be",
			        "index=%" PRIu64 " mend=\"compare with endpoint hashkv, keep the right one\"",
			        r->index);
			break;
		}
	r->n = 0;
}

void hashes_answer(struct raft_engine *e, uint64_t from, uint64_t index, uint64_t hash)
{
	RAFT_THREAD(e);
	struct hash_round *r = &e->hash_round;
	if (!e->is_leader || index != r->index || r->n >= RAFT_MEMBERS_MAX)
		return;
	for (size_t i = 0; i < r->n; i++)
		if (r->answers[i].id == from)
			return;
	r->answers[r->n].id = from;
	r->answers[r->n++].hash = hash;
}

void hashes_asked(struct raft_engine *e, uint64_t from, uint64_t index)
{
	RAFT_THREAD(e);
	uint64_t hash;
	if (lookup(e, index, &hash))
		peers_answer_hash(e, from, index, hash);
}

void hashes_tick(struct raft_engine *e)
{
	RAFT_THREAD(e);
	struct hash_round *r = &e->hash_round;
	struct arena a = ARENA_INIT;
	struct raft_host_member *m;
	uint64_t now = loop_now_ms(raft_node_loop(e->node)), own;
	if (!engine_host(e))
		return;
	look_at_rot(e);
	if (atomic_load(&e->is_fenced))
		hand_over(e);
	if (atomic_load(&e->is_fenced) && !e->is_leader && e->leader)
		raft_node_fetch_state(e->node, e->leader, (uint64_t)atomic_load(&e->core.applied_index));
	if (!e->is_leader || now - r->begun_ms < HASH_ROUND_MS)
		return;
	if (r->n)
		judge(e);
	r->begun_ms = now;
	uint64_t index = choose_index(e);
	if (!index || index == r->index || !lookup(e, index, &own))
		return;
	r->index = index;
	r->voters = 0;
	r->n = 0;
	hashes_answer(e, raft_host_id(engine_host(e)), index, own);
	size_t n = raft_host_members(engine_host(e), &a, &m);
	for (size_t i = 0; i < n; i++) {
		r->voters += m[i].server.role == RAFT_HOST_VOTER;
		if (m[i].server.id != raft_host_id(engine_host(e)))
			peers_ask_hash(e, m[i].server.id, index);
	}
	arena_release(&a);
}

void hashes_fence_self(struct raft_engine *e)
{
	fence_for(e, "it went another way than the others");
}
