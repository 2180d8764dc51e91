/* See rank_int.h. As upstream (pkg/kubelet/eviction/helpers.go): of memory and disks, who holds more than he asked for
 * goes before who does not, then the lower priority, then who exceeds his request the most; of processes, the lower
 * priority and then the number. Whom nobody could measure goes first. Nobody asks for inodes or processes: every one of
 * them is more than the request. */
#include "node/eviction/rank_int.h"

#include "api/machinery/codec/quantity.h"
#include "base/check.h"

#include <stdlib.h>

static const int64_t SYSTEM_CRITICAL_PRIORITY = 2000000000;

bool eviction_spares(const struct json *spec, bool is_static)
{
	return is_static || json_get_int(spec, "priority", 0) >= SYSTEM_CRITICAL_PRIORITY;
}

static int three_way(int64_t a, int64_t b)
{
	return a < b ? -1 : a > b;
}

static int by_priority(const struct eviction_candidate *x, const struct eviction_candidate *y)
{
	return three_way(x->priority, y->priority);
}

static int by_what_exceeds(const void *a, const void *b)
{
	const struct eviction_candidate *x = a, *y = b;
	int d = three_way(x->is_measured, y->is_measured);
	if (!d && x->is_measured)
		d = three_way(y->amount > y->request, x->amount > x->request);
	d = d ? d : by_priority(x, y);
	d = d ? d : three_way(y->amount - y->request, x->amount - x->request);
	return d ? d : strcmp(x->uid, y->uid);
}

static int by_number(const void *a, const void *b)
{
	const struct eviction_candidate *x = a, *y = b;
	int d = by_priority(x, y);
	d = d ? d : three_way(x->is_measured, y->is_measured);
	d = d ? d : three_way(y->amount, x->amount);
	return d ? d : strcmp(x->uid, y->uid);
}

void eviction_rank(enum eviction_signal s, struct eviction_candidate *list, size_t count)
{
	if (count)
		qsort(list, count, sizeof *list, s == SIGNAL_PID_AVAILABLE ? by_number : by_what_exceeds);
}

/* ---- words ---- */

static bool is_bytes(enum eviction_signal s)
{
	return s != SIGNAL_PID_AVAILABLE && s != SIGNAL_NODEFS_INODES_FREE && s != SIGNAL_IMAGEFS_INODES_FREE;
}

static const char *text(struct arena *a, enum eviction_signal s, int64_t amount)
{
	char out[QUANTITY_TEXT_MAX];
	struct quantity q = quantity_from_value(amount, is_bytes(s) ? QUANTITY_BINARY_SI : QUANTITY_DECIMAL_SI);
	quantity_format(&q, out);
	return arena_strdup(a, out);
}

const char *eviction_message(struct arena *a, const struct eviction_threshold *t,
        const struct eviction_observation *seen, const struct eviction_candidate *c)
{
	enum eviction_signal s = t->signal;
	const char *resource = eviction_resource(s);
	const char *m = arena_printf(a, "The node was low on resource: %s. Threshold quantity: %s, available: %s. ",
	        resource, text(a, s, eviction_amount_of(&t->below, seen->capacity)), text(a, s, seen->available));
	for (size_t i = 0; is_bytes(s) && i < c->containers_count; i++) {
		const struct eviction_use *u = &c->containers[i];
		if (u->amount > u->request)
			m = arena_printf(a,
			        "%sContainer %s was using %s, request is %s, has larger consumption of %s. ", m,
			        u->container, text(a, s, u->amount), text(a, s, u->request), resource);
	}
	return m;
}
