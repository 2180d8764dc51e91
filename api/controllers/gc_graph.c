/* See gc_graph.h. */
#include "api/controllers/gc_graph.h"

#include "base/check.h"

#include <stdlib.h>

void gc_graph_init(struct gc_graph *g)
{
	*g = (struct gc_graph){0};
}

static struct gc_owner *owner_need(struct gc_graph *g, struct slice uid)
{
	struct gc_owner *o = map_get(&g->owners, uid);
	if (o)
		return o;
	o = xcalloc(1, sizeof *o + uid.len + 1);
	memcpy(o + 1, uid.ptr, uid.len);
	o->uid = (struct slice){(char *)(o + 1), uid.len};
	list_init(&o->dependents);
	map_put(&g->owners, o->uid, o);
	return o;
}

static void edge_drop(struct gc_graph *g, struct gc_edge *e)
{
	struct gc_owner *o = e->owner;
	list_del(&e->link);
	if (--o->count)
		return;
	map_del(&g->owners, o->uid);
	free(o);
}

void gc_graph_remove(struct gc_graph *g, struct slice uid)
{
	struct gc_object *o = map_del(&g->objects, uid);
	if (!o)
		return;
	for (size_t i = 0; i < o->count; i++)
		edge_drop(g, &o->edges[i]);
	free(o);
}

static size_t count_owners(struct slice owners)
{
	struct owner_ref ref;
	size_t n = 0;
	while (owner_ref_next(&owners, &ref))
		n += ref.uid.len > 0;
	return n;
}

void gc_graph_set(struct gc_graph *g, unsigned kind, struct slice key, struct slice uid, struct slice owners)
{
	size_t n = count_owners(owners);
	struct owner_ref ref;
	gc_graph_remove(g, uid);
	if (!n)
		return;
	struct gc_object *o = xcalloc(1, sizeof *o + n * sizeof *o->edges + uid.len + key.len + 2);
	char *text = (char *)&o->edges[n];
	memcpy(text, uid.ptr, uid.len);
	o->uid = (struct slice){text, uid.len};
	memcpy(text + uid.len + 1, key.ptr, key.len);
	o->key = (struct slice){text + uid.len + 1, key.len};
	o->kind = kind;
	map_put(&g->objects, o->uid, o);
	while (owner_ref_next(&owners, &ref)) {
		if (!ref.uid.len)
			continue;
		struct gc_edge *e = &o->edges[o->count++];
		*e = (struct gc_edge){.dependent = o, .owner = owner_need(g, ref.uid), .blocks = ref.blocks_deletion};
		list_push_back(&e->owner->dependents, &e->link);
		e->owner->count++;
	}
}

const struct gc_object *gc_graph_object(const struct gc_graph *g, struct slice uid)
{
	return map_get(&g->objects, uid);
}

const struct gc_owner *gc_graph_owner(const struct gc_graph *g, struct slice uid)
{
	return map_get(&g->owners, uid);
}

void gc_graph_release(struct gc_graph *g)
{
	MAP_FOREACH (slot, &g->objects)
		free(slot->value);
	MAP_FOREACH (slot, &g->owners)
		free(slot->value);
	map_release(&g->objects);
	map_release(&g->owners);
}
