/* Labelled graphs: components and shortest paths. See graph.h. */
#include "jepsen/graph.h"

#include <stdlib.h>
#include <string.h>

enum { NONE = UINT32_MAX };

void graph_init(struct graph *g, uint32_t node_count)
{
	*g = (struct graph){.node_count = node_count};
}

void graph_release(struct graph *g)
{
	free(g->edges);
	free(g->first);
	*g = (struct graph){.edges = NULL};
}

void graph_add(struct graph *g, struct graph_edge e)
{
	if (e.from == e.to)
		return;
	if (g->edge_count == g->edge_cap) {
		g->edge_cap = g->edge_cap ? 2 * g->edge_cap : 1024;
		g->edges = xrealloc(g->edges, g->edge_cap * sizeof *g->edges);
	}
	g->edges[g->edge_count++] = e;
}

static int by_from(const void *a, const void *b)
{
	const struct graph_edge *x = a, *y = b;
	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return x->to < y->to ? -1 : x->to > y->to;
}

void graph_index(struct graph *g)
{
	if (g->edge_count)
		qsort(g->edges, g->edge_count, sizeof *g->edges, by_from);
	g->first = xcalloc(g->node_count + 1, sizeof *g->first);
	for (uint32_t i = 0; i < g->edge_count; i++)
		g->first[g->edges[i].from + 1]++;
	for (uint32_t n = 0; n < g->node_count; n++)
		g->first[n + 1] += g->first[n];
}

/* ---- components ---- */

struct tarjan {
	const struct graph *g;
	uint32_t mask;
	uint32_t *component;
	uint32_t *number, *low; /* 0: not visited */
	uint32_t *path;         /* the node stack of the algorithm */
	uint32_t path_count;
	bool *is_on_path;
	uint32_t *call, *edge_at; /* the call stack we keep ourselves: node, and its next edge */
	uint32_t call_count;
	uint32_t next_number, components;
};

static void enter(struct tarjan *t, uint32_t node)
{
	t->number[node] = t->low[node] = ++t->next_number;
	t->path[t->path_count++] = node;
	t->is_on_path[node] = true;
	t->edge_at[node] = t->g->first[node];
	t->call[t->call_count++] = node;
}

/* The nodes above and with `node` on the path are one component. */
static void close_component(struct tarjan *t, uint32_t node)
{
	bool is_alone = t->path[t->path_count - 1] == node;
	uint32_t at;
	do {
		at = t->path[--t->path_count];
		t->is_on_path[at] = false;
		t->component[at] = is_alone ? NONE : t->components;
	} while (at != node);
	t->components += !is_alone;
}

static void step(struct tarjan *t)
{
	uint32_t node = t->call[t->call_count - 1];
	while (t->edge_at[node] < t->g->first[node + 1]) {
		const struct graph_edge *e = &t->g->edges[t->edge_at[node]++];
		if (!(e->kind & t->mask))
			continue;
		if (!t->number[e->to]) {
			enter(t, e->to);
			return;
		}
		if (t->is_on_path[e->to] && t->number[e->to] < t->low[node])
			t->low[node] = t->number[e->to];
	}
	if (t->low[node] == t->number[node])
		close_component(t, node);
	if (--t->call_count) {
		uint32_t caller = t->call[t->call_count - 1];
		if (t->low[node] < t->low[caller])
			t->low[caller] = t->low[node];
	}
}

uint32_t graph_components(const struct graph *g, uint32_t mask, uint32_t *ret_component)
{
	struct arena a = ARENA_INIT;
	size_t n = g->node_count + 1;
	struct tarjan t = {.g = g,
	        .mask = mask,
	        .component = ret_component,
	        .number = ARENA_ARRAY(&a, uint32_t, n),
	        .low = ARENA_ARRAY(&a, uint32_t, n),
	        .path = ARENA_ARRAY(&a, uint32_t, n),
	        .is_on_path = ARENA_ARRAY(&a, bool, n),
	        .call = ARENA_ARRAY(&a, uint32_t, n),
	        .edge_at = ARENA_ARRAY(&a, uint32_t, n)};
	for (uint32_t node = 0; node < g->node_count; node++)
		if (!t.number[node]) {
			enter(&t, node);
			while (t.call_count)
				step(&t);
		}
	arena_release(&a);
	return t.components;
}

/* ---- paths ---- */

static uint32_t walk_back(const struct graph *g, const uint32_t *came_by, uint32_t from, uint32_t to, struct arena *a,
        uint32_t **ret_edges)
{
	uint32_t n = 0;
	for (uint32_t at = to; n == 0 || at != from; at = g->edges[came_by[at]].from)
		n++;
	uint32_t *edges = ARENA_ARRAY(a, uint32_t, n), i = n;
	for (uint32_t at = to; i > 0; at = g->edges[came_by[at]].from)
		edges[--i] = came_by[at];
	*ret_edges = edges;
	return n;
}

uint32_t graph_path(const struct graph *g, uint32_t mask, const uint32_t *component, uint32_t from, uint32_t to,
        uint32_t *scratch, struct arena *a, uint32_t **ret_edges)
{
	uint32_t *came_by = scratch, *queue = scratch + g->node_count, head = 0, tail = 0, n = 0;
	if (component[from] == NONE || component[from] != component[to] || from == to)
		return 0;
	queue[tail++] = from;
	while (head < tail && came_by[to] == NONE) {
		uint32_t node = queue[head++];
		for (uint32_t i = g->first[node]; i < g->first[node + 1]; i++) {
			const struct graph_edge *e = &g->edges[i];
			if (!(e->kind & mask) || component[e->to] != component[from] || e->to == from ||
			        came_by[e->to] != NONE)
				continue;
			came_by[e->to] = i;
			queue[tail++] = e->to;
		}
	}
	if (came_by[to] != NONE)
		n = walk_back(g, came_by, from, to, a, ret_edges);
	for (uint32_t i = 0; i < tail; i++) {
		came_by[queue[i]] = NONE;
		queue[i] = NONE;
	}
	return n;
}
