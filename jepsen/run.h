/* One run: a cluster, a workload, faults, a history. What its threads share.
 *
 * The main thread owns cluster and nemesis. Each worker is a thread with a client of its own; workers meet only in the
 * recorder, which stamps records in the order they are appended, under a mutex. */
#ifndef K3X_JEPSEN_RUN_H
#define K3X_JEPSEN_RUN_H

#include "jepsen/client.h"
#include "jepsen/cluster.h"
#include "jepsen/history.h"
#include "jepsen/options.h"
#include "jepsen/rng.h"

#include <pthread.h>
#include <stdatomic.h>

struct workload;
struct run;

enum run_phase {
	RUN_LOAD,  /* under faults */
	RUN_FINAL, /* healed: each worker makes its last observations */
};

enum { WORKERS_MAX = 64, VIOLATIONS_MAX = 32 };

struct worker {
	struct run *run;
	unsigned index;
	unsigned node;   /* which server it talks to */
	int32_t process; /* changes when an outcome is unknown */
	struct client *client;
	struct rng rng;
	struct arena arena; /* of one step */
	void *state;        /* the workload's, from malloc */
	int64_t next_ns;    /* when the next step is due */
	bool goes_on;       /* step() follows a stream: the next one is due at once, the rate is for requests */
	pthread_t thread;
};

struct run {
	const struct jepsen_options *options;
	const struct workload *workload;
	struct cluster cluster;
	uint64_t seed;
	char dir[DISK_PATH_MAX];

	struct worker workers[WORKERS_MAX];
	unsigned worker_count;
	atomic_int phase; /* enum run_phase */
	atomic_llong next_value;
	void *state; /* the workload's, shared by its workers */

	pthread_mutex_t lock; /* of what follows */
	struct history history;
	int64_t start_ns;
	int32_t next_process;
	int64_t operations;
	char *violations[VIOLATIONS_MAX];
	unsigned violation_count;
};

/* ---- recording, any thread ---- */
int64_t run_now_ns(struct run *r);
/* Appends the invocation of w's process; r's time, process, node and type are filled in. */
void run_invoke(struct worker *w, struct history_record *r);
/* Appends its completion, and gives the worker a new process when nobody knows the outcome. */
void run_complete(struct worker *w, struct history_record *r, const struct client_answer *answer);
/* An observation that was not asked for. */
void run_observe(struct worker *w, struct history_record *r);
/* Something that must not be, found by the harness itself. */
__attribute__((format(printf, 2, 3))) void run_violation(struct run *r, const char *fmt, ...);

size_t run_fault_begin(struct run *r, const char *name, uint64_t nodes, const char *detail);
void run_fault_end(struct run *r, size_t fault);

/* A number that no other write of this run has. */
static inline int64_t run_unique(struct run *r)
{
	return atomic_fetch_add(&r->next_value, 1) + 1;
}

static inline bool run_is_final(struct run *r)
{
	return atomic_load(&r->phase) == RUN_FINAL;
}

/* ---- the run itself ---- */
struct run_result {
	int64_t operations;
	unsigned faults;
	unsigned violations;
};

/* Leaves a folder under options->dir. Below 0 when the run could not be made. */
int run_one(const struct jepsen_options *o, const struct workload *workload, int64_t seconds, uint64_t seed,
        struct run_result *ret, struct err *err);

#endif
