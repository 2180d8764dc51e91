/* See slices.h. For each set of ports: endpoints that are in a slice stay there (changed where they differ), those no
 * longer wanted leave, new ones go first into slices that change anyway, then into any with room, then into new ones.
 */
#include "api/controllers/slices.h"

#include <string.h>

struct slice_group *slice_group_need(struct arena *a, struct slice_group **groups, struct json *ports)
{
	for (struct slice_group *g = *groups; g; g = g->next)
		if (json_equal(g->ports, ports))
			return g;
	struct slice_group *g = ARENA_NEW(a, struct slice_group);
	g->ports = ports;
	g->next = *groups;
	*groups = g;
	return g;
}

void slice_group_add(struct arena *a, struct slice_group *g, struct json *endpoint)
{
	if (g->count == g->cap) {
		g->cap = g->cap ? g->cap * 2 : 16;
		struct json **bigger = ARENA_ARRAY(a, struct json *, g->cap);
		if (g->count)
			memcpy(bigger, g->endpoints, g->count * sizeof *bigger);
		g->endpoints = bigger;
	}
	g->endpoints[g->count++] = endpoint;
}

static struct slice identity(const struct json *endpoint)
{
	struct slice uid = json_str(json_path(endpoint, "targetRef", "uid", NULL));
	return uid.len ? uid : json_str(json_at(json_get(endpoint, "addresses"), 0));
}

static bool same_ports(const struct json *x, const struct json *y)
{
	bool no_x = !x || !x->first, no_y = !y || !y->first;
	return no_x || no_y ? no_x == no_y : json_equal(x, y);
}

/* The wanted endpoint of that identity is taken out of the group. */
static struct json *take(struct slice_group *g, struct slice id)
{
	for (size_t i = 0; i < g->count; i++)
		if (g->endpoints[i] && slice_eq(identity(g->endpoints[i]), id)) {
			struct json *e = g->endpoints[i];
			g->endpoints[i] = NULL;
			return e;
		}
	return NULL;
}

static struct slice_plan *plan_existing(struct arena *a, struct slice_group *g, const struct json *slice)
{
	struct slice_plan *p = ARENA_NEW(a, struct slice_plan);
	p->existing = slice;
	p->ports = g->ports;
	p->endpoints = json_new(a, JSON_ARRAY);
	JSON_FOREACH (have, json_get(slice, "endpoints")) {
		struct json *want = take(g, identity(have));
		if (!want || !json_equal(have, want))
			p->action = SLICE_UPDATE;
		if (want)
			json_append(p->endpoints, want);
	}
	return p;
}

/* Moves what is left of the group into the slice, up to its room. */
static void fill(struct slice_group *g, struct slice_plan *p)
{
	for (size_t i = 0; i < g->count && p->endpoints->count < SLICE_ENDPOINTS_MAX; i++) {
		if (!g->endpoints[i])
			continue;
		json_append(p->endpoints, g->endpoints[i]);
		g->endpoints[i] = NULL;
		if (p->action == SLICE_KEEP)
			p->action = SLICE_UPDATE;
	}
}

static size_t left(const struct slice_group *g)
{
	size_t n = 0;
	for (size_t i = 0; i < g->count; i++)
		n += g->endpoints[i] != NULL;
	return n;
}

static void push(struct slice_plan **plans, struct slice_plan *p)
{
	p->next = *plans;
	*plans = p;
}

static struct slice_plan *plan_group(
        struct arena *a, struct slice_group *g, const struct json **existing, bool *used, size_t n)
{
	struct slice_plan *plans = NULL;
	for (size_t i = 0; i < n; i++) {
		if (used[i] || !same_ports(json_get(existing[i], "ports"), g->ports))
			continue;
		used[i] = true;
		push(&plans, plan_existing(a, g, existing[i]));
	}
	for (struct slice_plan *p = plans; p; p = p->next)
		if (p->action == SLICE_UPDATE)
			fill(g, p);
	for (struct slice_plan *p = plans; p && left(g); p = p->next)
		fill(g, p);
	while (left(g)) {
		struct slice_plan *p = ARENA_NEW(a, struct slice_plan);
		*p = (struct slice_plan){
		        .action = SLICE_CREATE, .ports = g->ports, .endpoints = json_new(a, JSON_ARRAY)};
		fill(g, p);
		push(&plans, p);
	}
	return plans;
}

/* Empty slices go, but one placeholder stays when nothing else does. */
static void keep_one(struct arena *a, struct slice_plan **plans)
{
	bool any = false;
	for (struct slice_plan *p = *plans; p; p = p->next)
		any = any || p->endpoints->first;
	for (struct slice_plan *p = *plans; p; p = p->next) {
		if (p->endpoints->first)
			continue;
		if (any)
			p->action = SLICE_DELETE;
		any = true;
	}
	if (any)
		return;
	struct slice_plan *p = ARENA_NEW(a, struct slice_plan);
	*p = (struct slice_plan){
	        .action = SLICE_CREATE, .ports = json_new(a, JSON_ARRAY), .endpoints = json_new(a, JSON_ARRAY)};
	push(plans, p);
}

struct slice_plan *slices_plan(struct arena *a, struct slice_group *groups, const struct json **existing, size_t n)
{
	struct slice_plan *plans = NULL;
	bool *used = ARENA_ARRAY(a, bool, n + 1);
	for (struct slice_group *g = groups; g; g = g->next)
		for (struct slice_plan *next, *p = plan_group(a, g, existing, used, n); p; p = next) {
			next = p->next;
			push(&plans, p);
		}
	for (size_t i = 0; i < n; i++) {
		if (used[i])
			continue;
		struct json *list = json_get(existing[i], "endpoints");
		struct slice_plan *p = ARENA_NEW(a, struct slice_plan);
		*p = (struct slice_plan){.existing = existing[i],
		        .ports = json_get(existing[i], "ports"),
		        .endpoints = json_new(a, JSON_ARRAY)};
		p->action = list && list->first ? SLICE_UPDATE : SLICE_KEEP;
		push(&plans, p);
	}
	keep_one(a, &plans);
	return plans;
}
