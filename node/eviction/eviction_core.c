/* See eviction_core_int.h. A threshold is met when less is available than it says, and stays met until as much more is
 * there as its minimum reclaim says; a soft one asks for something only when it has been met for its grace period. A
 * pressure is told from the first moment a threshold of it is met, the soft ones too, until the transition period after
 * the last: so that a node that swings does not take pods in and throw them out. Upstream: pkg/kubelet/eviction
 * (synchronize, thresholdsMet, nodeConditionsObservedSince, byEvictionPriority).
 *
 * What can go wrong: a signal that cannot be observed. What was met stays so, for nobody knows better. */
#include "node/eviction/eviction_core_int.h"

#include "base/check.h"
#include "node/ground/node_record.h"

static unsigned pressure_of(enum eviction_signal s)
{
	return s == SIGNAL_MEMORY_AVAILABLE ? NODE_PRESSURE_MEMORY
	       : s == SIGNAL_PID_AVAILABLE  ? NODE_PRESSURE_PID
	                                    : NODE_PRESSURE_DISK;
}

const char *eviction_resource(enum eviction_signal s)
{
	switch (s) {
	case SIGNAL_MEMORY_AVAILABLE:
		return "memory";
	case SIGNAL_PID_AVAILABLE:
		return "pids";
	case SIGNAL_NODEFS_INODES_FREE:
	case SIGNAL_IMAGEFS_INODES_FREE:
		return "inodes";
	default:
		return "ephemeral-storage";
	}
}

void eviction_core_init(struct eviction_core *c, const struct eviction_thresholds *t, uint64_t transition_ms)
{
	*c = (struct eviction_core){.thresholds = *t, .transition_ms = transition_ms};
}

static bool is_below(const struct eviction_threshold *t, const struct eviction_observation *o, bool with_reclaim)
{
	int64_t least = eviction_amount_of(&t->below, o->capacity);
	if (with_reclaim)
		least += eviction_amount_of(&t->min_reclaim, o->capacity);
	return o->available < least;
}

static void look_at(struct eviction_core *c, size_t i, const struct eviction_observation *o, uint64_t now_ms)
{
	const struct eviction_threshold *t = &c->thresholds.list[i];
	bool was_met = c->is_met[i];
	if (o->is_known)
		c->is_met[i] = is_below(t, o, was_met);
	if (c->is_met[i] && !was_met)
		c->met_since_ms[i] = now_ms;
}

/* Memory first: who waits there, waits for the kernel to end somebody. */
static bool goes_before(const struct eviction_threshold *a, const struct eviction_threshold *b)
{
	return !b || (a->signal == SIGNAL_MEMORY_AVAILABLE && b->signal != SIGNAL_MEMORY_AVAILABLE);
}

struct eviction_decision eviction_core_look(
        struct eviction_core *c, const struct eviction_observation seen[SIGNALS_COUNT], uint64_t now_ms)
{
	struct eviction_decision d = {0, NULL};
	for (size_t i = 0; i < c->thresholds.count; i++) {
		const struct eviction_threshold *t = &c->thresholds.list[i];
		look_at(c, i, &seen[t->signal], now_ms);
		if (!c->is_met[i])
			continue;
		unsigned pressure = pressure_of(t->signal);
		c->seen |= pressure;
		c->seen_at_ms[__builtin_ctz(pressure)] = now_ms;
		if ((t->is_hard || now_ms - c->met_since_ms[i] >= t->grace_ms) && goes_before(t, d.reclaim))
			d.reclaim = t;
	}
	for (unsigned bit = 0; bit < 3; bit++)
		if ((c->seen & 1u << bit) &&
		        (c->seen_at_ms[bit] == now_ms || now_ms - c->seen_at_ms[bit] < c->transition_ms))
			d.pressures |= 1u << bit;
	return d;
}

bool eviction_core_is_short(const struct eviction_core *c, const struct eviction_observation seen[SIGNALS_COUNT])
{
	for (size_t i = 0; i < c->thresholds.count; i++) {
		const struct eviction_threshold *t = &c->thresholds.list[i];
		if (seen[t->signal].is_known && is_below(t, &seen[t->signal], false))
			return true;
	}
	return false;
}
