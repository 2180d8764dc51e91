/* Declared state machines: the states, which moves between them are allowed, and what must hold in each.
 *
 *     enum { POD_RUNNING, POD_STOPPING, POD_GONE };
 *     static const struct sm_state pod_states[] = {
 *             [POD_RUNNING] = {"running", SM_TO(POD_STOPPING) | SM_TO(POD_GONE)},
 *             [POD_STOPPING] = {"stopping", SM_TO(POD_GONE)},
 *             [POD_GONE] = {"gone", 0}, };
 *     static const struct sm_kind pod_machine = SM_KIND("pod", pod_states, pod_invariant);
 *
 *     sm_init(&p->sm, &pod_machine, POD_RUNNING, p->name);
 *     sm_move(&p->sm, POD_STOPPING);
 *
 * A move that is not in the table, or an invariant that does not hold after a move, is a fault of ours: CHECK ends the
 * process with the machine's name, its subject and both states in the log. Every move is a line of the trace (log level
 * debug), so that a log says how a thing got to where it is. A machine belongs to whoever owns what embeds it. */
#ifndef K3X_BASE_RT_SM_H
#define K3X_BASE_RT_SM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SM_STATES_MAX = 32 };

#define SM_TO(state) (UINT32_C(1) << (state))

struct sm;

struct sm_state {
	const char *name;
	uint32_t next; /* SM_TO() of every state that may follow; 0: the end */
};

struct sm_kind {
	const char *name;
	const struct sm_state *states;
	unsigned n;
	bool (*invariant)(const struct sm *m, int before); /* after each move; NULL: none */
};

#define SM_KIND(kind_name, table, invariant_fn) \
	{ \
		kind_name, table, sizeof(table) / sizeof((table)[0]), invariant_fn \
	}

struct sm {
	const struct sm_kind *kind;
	int state;
	const char *subject; /* whose machine it is, for the trace; borrowed, "" when there is no name */
};

/* kind and subject must live as long as the machine. Any state may be the first. */
void sm_init(struct sm *m, const struct sm_kind *kind, int state, const char *subject);

/* Moves on. Staying in a state is a move like any other and must be allowed. */
void sm_move(struct sm *m, int state);

/* For tables of rules: would it be allowed? */
bool sm_may_move(const struct sm *m, int state);

static inline int sm_state(const struct sm *m)
{
	return m->state;
}

/* "stopping" */
const char *sm_state_name(const struct sm *m);

/* Nothing follows the state it is in. */
bool sm_is_over(const struct sm *m);

#endif
