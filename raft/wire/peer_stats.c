/* See peer_stats.h.
 *
 * Round trips are measured as etcd does it, by a small message now and then, from every member to every other: here the
 * question "is your term still T?" of the linearizable reads (read_index.c), which any server answers at once with the
 * round that it was asked in. Rounds of probes have the highest bit, which those of reads never reach. Heartbeats and
 * entries would not do: their answers do not say what they answer, and those of entries wait for the disk.
 *
 * The next probe waits for the answer to the last one, so that a slow peer is measured and not passed over. What can go
 * wrong: the answer is lost with its connection (given up after a while: no round trip). */
#include "raft/wire/peer_stats.h"

#include "base/check.h"

#define PROBE_BIT (UINT64_C(1) << 63)
#define S_NS UINT64_C(1000000000)

enum { PROBE_EVERY_S = 1, PROBE_GIVE_UP_S = 5, ACTIVE_S = 3 };

/* 0.1 ms, doubling up to 3.3 s: etcd's buckets. */
enum { ROUND_TRIP_FIRST_NS = 100000, ROUND_TRIP_BOUNDS = 16 };

/* Readers may look while it is done: what they see is of the old peer, or nothing. */
static void begin_anew(struct peer_stats *p, uint64_t id)
{
	p->sent_bytes = p->received_bytes = p->send_failures = p->echoed_ns = 0;
	for (size_t i = 0; i <= ROUND_TRIP_BOUNDS; i++)
		p->round_trips.counts[i] = 0;
	p->round_trips.sum_ns = 0;
	p->probe = p->probed_ns = 0;
	p->has_left = false;
	p->id = id;
}

/* The place of one that is no member any more; NULL: all are. */
static struct peer_stats *reuse(struct peer_table *t, uint64_t id)
{
	for (size_t i = 0; i < PEER_STATS_MAX; i++) {
		struct peer_stats *p = &t->at[t->next_reused++ % PEER_STATS_MAX];
		if (!p->has_left)
			continue;
		begin_anew(p, id);
		return p;
	}
	return NULL;
}

void peer_stats_members(struct peer_table *t, const uint64_t *ids, size_t n)
{
	for (size_t i = 0; i < PEER_STATS_MAX && t->at[i].id; i++) {
		t->at[i].has_left = true;
		for (size_t m = 0; m < n; m++)
			t->at[i].has_left &= t->at[i].id != ids[m];
	}
}

struct peer_stats *peer_stats_of(struct peer_table *t, uint64_t id)
{
	size_t i = 0;
	while (i < PEER_STATS_MAX && t->at[i].id && t->at[i].id != id)
		i++;
	if (i == PEER_STATS_MAX) {
		struct peer_stats *p = reuse(t, id);
		return p ? p : &t->others;
	}
	struct peer_stats *p = &t->at[i];
	if (!p->id) {
		histogram_init_doubling(&p->round_trips, ROUND_TRIP_FIRST_NS, ROUND_TRIP_BOUNDS);
		p->id = id; /* last: from now on it is read */
	}
	return p;
}

uint64_t peer_stats_probe(struct peer_table *t, struct peer_stats *p, uint64_t now_ns)
{
	uint64_t wait_ns = (p->probe ? PROBE_GIVE_UP_S : PROBE_EVERY_S) * S_NS;
	if (p == &t->others || (p->probed_ns && now_ns - p->probed_ns < wait_ns))
		return 0;
	p->probe = PROBE_BIT | ++t->n_probes;
	CHECK(t->n_probes < PROBE_BIT);
	p->probed_ns = now_ns;
	return p->probe;
}

void peer_stats_forget(struct peer_stats *p)
{
	p->probe = 0;
}

bool peer_stats_echo(struct peer_table *t, uint64_t from, uint64_t round, uint64_t now_ns)
{
	if (!(round & PROBE_BIT))
		return false;
	struct peer_stats *p = peer_stats_of(t, from);
	if (p->probe == round) {
		CHECK(p != &t->others && now_ns >= p->probed_ns);
		histogram_observe(&p->round_trips, now_ns - p->probed_ns);
		p->echoed_ns = now_ns;
		p->probe = 0;
	}
	return true;
}

bool peer_stats_is_active(const struct peer_stats *p, uint64_t now_ns)
{
	uint64_t echoed = p->echoed_ns;
	return echoed && (now_ns < echoed || now_ns - echoed < ACTIVE_S * S_NS);
}
