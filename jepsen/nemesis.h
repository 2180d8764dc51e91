/* Nemeses: what breaks a cluster, and mends it again.
 *
 * The schedule draws from the seed: a pause, a nemesis, how long its fault lasts. Mixed runs have two lanes (--lanes),
 * so that faults of different kinds overlap; one kind is never broken twice at a time, because both would mend the
 * other's.
 *
 *     lane:  idle --when due--> begin() --when due--> end() --> idle
 *
 * All in the harness's main thread. After the load nemesis_heal_all() ends what lasts. */
#ifndef K3X_JEPSEN_NEMESIS_H
#define K3X_JEPSEN_NEMESIS_H

#include "jepsen/run.h"

/* What a fault is about: faults of one kind exclude each other. */
enum nemesis_kind {
	NEMESIS_RULES,   /* who hears whom */
	NEMESIS_LINK,    /* how packets travel */
	NEMESIS_PROCESS, /* servers that end or stand still */
	NEMESIS_CLOCK,
	NEMESIS_DISK,
	NEMESIS_ADMIN, /* what an operator does */
	NEMESIS_DATASTORE,
};

struct nemesis_fault {
	struct run *run;
	struct rng *rng;
	uint64_t nodes; /* bit per node that was hit; begin() sets it */
	char detail[160];
	unsigned step; /* for tick() */
	void *state;   /* begin() to end() */
};

struct nemesis {
	const char *name;
	const char *what;
	enum nemesis_kind kind;
	unsigned nodes_min; /* of the cluster */
	bool needs_shim;
	bool needs_members; /* members must be removed and added to mend it */
	bool needs_etcd;    /* it asks the servers in etcd's words */
	bool needs_datastore;
	bool is_moment; /* over with begin() */
	/* Below 0 when it could not be done: nothing is broken then. */
	int (*begin)(struct nemesis_fault *f, struct err *err);
	void (*tick)(struct nemesis_fault *f);                /* every 100 ms or so while it lasts; may be NULL */
	int (*end)(struct nemesis_fault *f, struct err *err); /* NULL for moments */
};

extern const struct nemesis *const nemeses[];
extern const unsigned nemesis_count;
const struct nemesis *nemesis_find(const char *name);

enum { NEMESIS_LANES_MIXED = 2 };

struct nemesis_lane {
	const struct nemesis *active; /* NULL: idle */
	struct nemesis_fault fault;
	size_t history_fault;
	int64_t due_ns;
};

struct nemesis_schedule {
	struct run *run;
	struct rng rng;
	const struct nemesis *choices[64];
	unsigned choice_count;
	struct nemesis_lane lanes[JEPSEN_LANES_MAX];
	unsigned lane_count;
	unsigned faults; /* begun */
};

/* `names`: "mixed", "none" or names with commas between. */
int nemesis_schedule_init(struct nemesis_schedule *s, struct run *run, const char *names, struct err *err);
void nemesis_schedule_tick(struct nemesis_schedule *s);
int nemesis_heal_all(struct nemesis_schedule *s, struct err *err);

/* ---- for nemeses ---- */
unsigned nemesis_any_node(struct nemesis_fault *f);
/* Any node that may lose its data. One at a time does: what is left of two of three no majority can mend. Damage that
 * did not show yet may show at the next start, so a node that has it is chosen again. NULL: all others must be there,
 * and vote. */
struct node *nemesis_victim(struct nemesis_fault *f, struct err *err);
/* Fills out[] with all nodes in random order; returns how many. */
unsigned nemesis_shuffle(struct nemesis_fault *f, unsigned out[NODES_MAX]);
/* How many nodes a fault may take at random: 1 to all, mostly a minority. */
unsigned nemesis_some(struct nemesis_fault *f);
__attribute__((format(printf, 2, 3))) void nemesis_tell(struct nemesis_fault *f, const char *fmt, ...);

#define NEMESIS_LIST(X) \
	X(partition_halves) \
	X(partition_one_way) \
	X(partition_ring) \
	X(partition_leader) \
	X(partition_flapping) \
	X(loss) \
	X(delay) \
	X(reorder) \
	X(duplicate) \
	X(kill) \
	X(kill_leader) \
	X(kill_all) \
	X(pause) \
	X(pause_all) \
	X(rolling_restart) \
	X(clock_jump) \
	X(clock_drift) \
	X(disk_full) \
	X(disk_slow) \
	X(disk_error) \
	X(power_cut) \
	X(power_cut_all) \
	X(bit_flip) \
	X(member_churn) \
	X(leader_transfer) \
	X(compaction) \
	X(snapshot) \
	X(defragment) \
	X(datastore_kill) \
	X(datastore_pause) \
	X(datastore_cut)

#define NEMESIS_DECLARE(name) extern const struct nemesis nemesis_##name;
NEMESIS_LIST(NEMESIS_DECLARE)
#undef NEMESIS_DECLARE

#endif
