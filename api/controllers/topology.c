/* See topology.h. Every endpoint is meant for its own zone at first. Zones that have more than their part then give to
 * those that have less, one at a time, the one with the most to the one with the least, for as long as that brings both
 * nearer.
 *
 * There are no hints at all where they would do harm: with fewer endpoints than zones, and where rounding would give a
 * zone a fifth more load than its part (the overload threshold). */
#include "api/controllers/topology.h"

#include "api/client/meta.h"
#include "api/machinery/codec/quantity.h"
#include "base/check.h"

#include <math.h>
#include <stdlib.h>

static const double overload_threshold = 0.2;

bool topology_is_wanted(const struct json *service)
{
	const struct json *annotations = json_path(service, "metadata", "annotations", NULL);
	struct slice mode = json_get_str(annotations, TOPOLOGY_MODE);
	if (!mode.len)
		mode = json_get_str(annotations, TOPOLOGY_MODE_OLD);
	return slice_is(mode, "Auto") || slice_is(mode, "auto");
}

/* ---- zones ---- */

static struct topology_zone *find(struct topology *t, struct slice name)
{
	for (size_t i = 0; i < t->count; i++)
		if (slice_eq(t->zones[i].name, name))
			return &t->zones[i];
	return NULL;
}

static struct topology_zone *need(struct topology *t, struct arena *a, struct slice name)
{
	struct topology_zone *z = find(t, name);
	if (z)
		return z;
	if (t->count == t->cap) {
		size_t cap = t->cap ? t->cap * 2 : 8;
		struct topology_zone *bigger = ARENA_ARRAY(a, struct topology_zone, cap);
		if (t->count)
			memcpy(bigger, t->zones, t->count * sizeof *bigger);
		t->zones = bigger;
		t->cap = cap;
	}
	t->zones[t->count] = (struct topology_zone){.name = name};
	return &t->zones[t->count++];
}

void topology_add_node(struct topology *t, struct arena *a, const struct json *node)
{
	const struct json *labels = json_path(node, "metadata", "labels", NULL);
	const struct json *ready = condition_find(json_path(node, "status", "conditions", NULL), "Ready");
	if (json_get(labels, "node-role.kubernetes.io/control-plane") ||
	        json_get(labels, "node-role.kubernetes.io/master") || !slice_is(json_get_str(ready, "status"), "True"))
		return;
	struct slice zone = json_get_str(labels, TOPOLOGY_ZONE);
	struct quantity cpu;
	struct err unused = ERR_INIT;
	bool has_cpu =
	        quantity_parse(json_str(json_path(node, "status", "allocatable", "cpu", NULL)), &cpu, &unused) == 0 &&
	        quantity_milli_value(&cpu) > 0;
	if (!zone.len || !has_cpu)
		t->lacks_facts = true;
	else
		need(t, a, zone)->cpus += (double)quantity_milli_value(&cpu) / 1000;
}

static int by_name(const void *x, const void *y)
{
	return slice_cmp(((const struct topology_zone *)x)->name, ((const struct topology_zone *)y)->name);
}

/* ---- sharing out ---- */

static const char *why_not(struct arena *a, const char *text, size_t endpoints, size_t zones)
{
	return arena_printf(a, "%s (%zu endpoints, %zu zones)", text, endpoints, zones);
}

/* How many each zone is to get. */
static const char *allocate(struct topology *t, struct arena *a, size_t n)
{
	double cpus = 0;
	size_t left = n;
	for (size_t i = 0; i < t->count; i++)
		cpus += t->zones[i].cpus;
	for (size_t i = 0; i < t->count; i++) {
		struct topology_zone *z = &t->zones[i];
		double desired = z->cpus / cpus * (double)n;
		z->minimum = (size_t)ceil(desired / (1 + overload_threshold));
		z->desired = desired > (double)z->minimum ? desired : (double)z->minimum;
		z->hinted = 0;
		if (z->minimum > left)
			return why_not(a,
			        "Unable to allocate minimum required endpoints to each zone without exceeding overload "
			        "threshold",
			        n, t->count);
		left -= z->minimum;
	}
	return NULL;
}

static const char *hint_own_zones(struct topology *t, struct arena *a, struct topology_endpoint *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!list[i].zone.len)
			return "One or more endpoints do not have a zone specified";
		list[i].hint = list[i].zone;
		need(t, a, list[i].zone)->hinted++;
	}
	return NULL;
}

/* The zone with the most above (sign 1) or below (-1) its part; NULL: there is none. */
static struct topology_zone *furthest(struct topology *t, double sign, double *ret)
{
	struct topology_zone *found = NULL;
	*ret = 0;
	for (size_t i = 0; i < t->count; i++) {
		double d = sign * ((double)t->zones[i].hinted - t->zones[i].desired);
		bool has_part = t->zones[i].cpus > 0; /* else there is no node, only endpoints */
		if (has_part && d > *ret) {
			*ret = d;
			found = &t->zones[i];
		}
	}
	return found;
}

static void give_one(struct topology_endpoint *list, size_t n, struct topology_zone *from, struct topology_zone *to)
{
	for (size_t i = 0; i < n; i++)
		if (slice_eq(list[i].hint, from->name)) {
			list[i].hint = to->name;
			from->hinted--;
			to->hinted++;
			return;
		}
}

static void balance(struct topology *t, struct topology_endpoint *list, size_t n)
{
	for (size_t moves = 0; moves < n; moves++) {
		double above, below;
		struct topology_zone *from = furthest(t, 1, &above), *to = furthest(t, -1, &below);
		if (!from || !to || (above < 1 && below < 1) || above < 0.5 || below < 0.5)
			return;
		give_one(list, n, from, to);
	}
}

const char *topology_share(struct topology *t, struct arena *a, struct topology_endpoint *list, size_t n)
{
	if (t->lacks_facts || !t->count)
		return "Insufficient Node information: allocatable CPU or zone not specified on one or more nodes";
	if (t->count < 2)
		return "Nodes only ready in one zone";
	if (t->count > n)
		return why_not(a, "Insufficient number of endpoints", n, t->count);
	qsort(t->zones, t->count, sizeof *t->zones, by_name);
	const char *why = allocate(t, a, n);
	if (!why)
		why = hint_own_zones(t, a, list, n);
	if (!why)
		balance(t, list, n);
	return why;
}
