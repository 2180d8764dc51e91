/* See sm.h. */
#include "base/rt/sm.h"

#include "base/check.h"
#include "base/log.h"

void sm_init(struct sm *m, const struct sm_kind *kind, int state, const char *subject)
{
	CHECK(kind->n > 0 && kind->n <= SM_STATES_MAX);
	CHECK(state >= 0 && (unsigned)state < kind->n && kind->states[state].name);
	*m = (struct sm){kind, state, subject ? subject : ""};
}

bool sm_may_move(const struct sm *m, int state)
{
	return state >= 0 && (unsigned)state < m->kind->n && (m->kind->states[m->state].next & SM_TO(state));
}

const char *sm_state_name(const struct sm *m)
{
	return m->kind->states[m->state].name;
}

bool sm_is_over(const struct sm *m)
{
	return m->kind->states[m->state].next == 0;
}

static void tell_fault(const struct sm *m, const char *what, int before, int after)
{
	bool is_known = after >= 0 && (unsigned)after < m->kind->n;
	log_error(m->kind->name, what, "of=%s from=%s to=%s", m->subject, m->kind->states[before].name,
	        is_known ? m->kind->states[after].name : "none");
}

void sm_move(struct sm *m, int state)
{
	int before = m->state;
	if (!sm_may_move(m, state)) {
		tell_fault(m, "this move is not allowed", before, state);
		CHECK(!"an allowed move");
	}
	m->state = state;
	if (log_enabled(LOG_DEBUG)) /* machines move on hot paths */
		log_debug(m->kind->name, "moved", "of=%s from=%s to=%s", m->subject, m->kind->states[before].name,
		        sm_state_name(m));
	if (m->kind->invariant && !m->kind->invariant(m, before)) {
		tell_fault(m, "the invariant does not hold after this move", before, state);
		CHECK(!"the machine's invariant");
	}
}
