/* Directed graphs with labelled edges, for finding cycles of dependencies. Nodes are numbers from 0. Edges are added,
 * then graph_index() is called once, then it is searched; every search takes a mask of edge kinds. */
#ifndef K3X_JEPSEN_GRAPH_H
#define K3X_JEPSEN_GRAPH_H

#include "base/mem/arena.h"

#include <stdbool.h>
#include <stdint.h>

struct graph_edge {
	uint32_t from, to;
	uint32_t kind;   /* one bit */
	uint32_t key_id; /* what it is about, for explanations */
	int64_t value;
};

struct graph {
	struct graph_edge *edges;
	uint32_t edge_count, edge_cap;
	uint32_t node_count;
	uint32_t *first; /* node_count + 1: edges by `from` */
};

void graph_init(struct graph *g, uint32_t node_count);
void graph_release(struct graph *g);
void graph_add(struct graph *g, struct graph_edge e); /* loops from a node to itself are left out */
void graph_index(struct graph *g);

/* Strongly connected components over the edges of `mask` (Tarjan 1972, without recursion): ret_component[node] is its
 * component, or UINT32_MAX when it is alone. Returns how many components of two and more nodes there are. */
uint32_t graph_components(const struct graph *g, uint32_t mask, uint32_t *ret_component);

/* A shortest path from one node to another inside a component: edge numbers in order, in the arena. Returns how many,
 * 0 when there is none. `scratch` has room for 2 * node_count and is all UINT32_MAX before and after. */
uint32_t graph_path(const struct graph *g, uint32_t mask, const uint32_t *component, uint32_t from, uint32_t to,
        uint32_t *scratch, struct arena *a, uint32_t **ret_edges);

#endif
