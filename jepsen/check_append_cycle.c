/* The cycles of the list-append checker: for every kind of anomaly, simplest first, the components of the graph of its
 * edges, and in each the shortest cycle that has what the kind needs. A component that was named by a simpler kind is
 * not named again by one that needs more edges. */
#include "jepsen/check_append_int.h"

#include <inttypes.h>
#include <stdlib.h>

/* A cycle has one edge of `needs`, and otherwise a path of edges of `rest`. */
struct anomaly {
	const char *name;
	uint32_t needs;
	uint32_t rest;
};

#define DATA(extra, suffix) \
	{"G0" suffix, APPEND_WW, APPEND_WW | (extra)}, {"G1c" suffix, APPEND_WR, APPEND_WW | APPEND_WR | (extra)}, \
	        {"G-single" suffix, APPEND_RW, APPEND_WW | APPEND_WR | (extra)}, \
	{ \
		"G2" suffix, APPEND_RW, APPEND_WW | APPEND_WR | APPEND_RW | (extra) \
	}

static const struct anomaly anomalies[] = {
        DATA(0, ""),
        DATA(APPEND_PROCESS, "-process"),
        DATA(APPEND_PROCESS | APPEND_REALTIME, "-realtime"),
};

enum { CYCLES_PER_COMPONENT_TRIED = 500 };

struct cycles {
	struct append_check *x;
	uint32_t *component;
	uint32_t *scratch;
	bool *is_named; /* transactions in a cycle that was reported */
	struct arena arena;
};

static const char *kind_name(uint32_t kind)
{
	switch (kind) {
	case APPEND_WW:
		return "ww";
	case APPEND_WR:
		return "wr";
	case APPEND_RW:
		return "rw";
	case APPEND_PROCESS:
		return "process";
	default:
		return "realtime";
	}
}

static void explain_edge(struct append_check *x, const struct graph_edge *e, uint32_t number, struct strbuf *out)
{
	const char *key = x->c->history->keys[e->key_id];
	strbuf_addf(out, " T%" PRIu32 " -%s-> T%" PRIu32 ": ", number, kind_name(e->kind), number + 1);
	switch (e->kind) {
	case APPEND_WW:
		strbuf_addf(out, "the second appended %" PRId64 " to %s behind the first.", e->value, key);
		break;
	case APPEND_WR:
		strbuf_addf(out, "the second read %s up to %" PRId64 ", which the first appended.", key, e->value);
		break;
	case APPEND_RW:
		strbuf_addf(out, "the first read %s without %" PRId64 ", which the second appended.", key, e->value);
		break;
	case APPEND_PROCESS:
		strbuf_adds(out, "the same process did the second after the first.");
		break;
	default:
		strbuf_adds(out, "the first ended before the second began.");
	}
}

static void report_cycle(struct cycles *s, const char *name, uint32_t first, const uint32_t *rest, uint32_t rest_count)
{
	struct append_check *x = s->x;
	uint32_t n = rest_count + 1;
	const struct history_op **ops = ARENA_ARRAY(&s->arena, const struct history_op *, n);
	CLEANUP(cleanup_strbuf) struct strbuf text = STRBUF_INIT;
	for (uint32_t i = 0; i < n; i++) {
		const struct graph_edge *e = &x->graph.edges[i ? rest[i - 1] : first];
		ops[i] = x->txns[e->from].op;
		s->is_named[e->from] = true;
		explain_edge(x, e, i + 1, &text);
	}
	check_find_ops(x->c, name, ops, n, "A cycle of %" PRIu32 " transactions, where T%" PRIu32 " is T1 again.%s", n,
	        n + 1, strbuf_cstr(&text));
}

/* The shortest of the cycles through the edges of one component; tried[component] counts the attempts. */
struct best {
	uint32_t edge;
	uint32_t *path;
	uint32_t length; /* 0: none yet */
	uint32_t tried;
	bool is_named;
};

static void try_edge(struct cycles *s, const struct anomaly *kind, struct best *best, uint32_t edge)
{
	const struct graph *g = &s->x->graph;
	struct best *b = &best[s->component[g->edges[edge].from]];
	uint32_t *path;
	if (b->is_named || b->length == 1 || b->tried++ >= CYCLES_PER_COMPONENT_TRIED || check_out_of_time(s->x->c))
		return;
	uint32_t length = graph_path(
	        g, kind->rest, s->component, g->edges[edge].to, g->edges[edge].from, s->scratch, &s->arena, &path);
	if (length && (!b->length || length < b->length))
		*b = (struct best){edge, path, length, b->tried, false};
}

static void find_kind(struct cycles *s, const struct anomaly *kind)
{
	const struct graph *g = &s->x->graph;
	uint32_t count = graph_components(g, kind->needs | kind->rest, s->component);
	if (!count)
		return;
	struct best *best = ARENA_ARRAY(&s->arena, struct best, count);
	for (uint32_t t = 0; t < g->node_count; t++)
		if (s->component[t] != UINT32_MAX && s->is_named[t])
			best[s->component[t]].is_named = true;
	for (uint32_t i = 0; i < g->edge_count; i++) {
		const struct graph_edge *e = &g->edges[i];
		if ((e->kind & kind->needs) && s->component[e->from] != UINT32_MAX &&
		        s->component[e->from] == s->component[e->to])
			try_edge(s, kind, best, i);
	}
	for (uint32_t i = 0; i < count; i++)
		if (best[i].length)
			report_cycle(s, kind->name, best[i].edge, best[i].path, best[i].length);
}

void append_find_cycles(struct append_check *x)
{
	struct cycles s = {.x = x};
	size_t n = x->graph.node_count + 1;
	s.component = ARENA_ARRAY(&s.arena, uint32_t, n);
	s.scratch = ARENA_ARRAY(&s.arena, uint32_t, 2 * n);
	s.is_named = ARENA_ARRAY(&s.arena, bool, n);
	memset(s.scratch, 0xff, 2 * n * sizeof *s.scratch);
	for (size_t i = 0; i < sizeof anomalies / sizeof anomalies[0]; i++)
		find_kind(&s, &anomalies[i]);
	if (check_out_of_time(x->c))
		check_unknown(x->c, "the time allowed ran out while looking for cycles");
	arena_release(&s.arena);
}
