/* See gc_graph.h. */
#include "api/controllers/gc_graph.h"

#include "base/check.h"
#include "base/mem/arena.h"

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
	o = MAP_ENTRY_NEW(struct gc_owner, uid, uid);
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

/* Depth first, each object once; the stack holds what is still to be looked at. */
bool gc_graph_leads_back(const struct gc_graph *g, const struct gc_object *from, struct slice to_uid,
        bool (*passes)(void *arg, const struct gc_object *o), void *arg)
{
	struct map seen = MAP_INIT;
	const struct gc_object **stack = xcalloc(g->objects.count + 1, sizeof(struct gc_object *));
	size_t n = 0;
	bool found = false;
	stack[n++] = from;
	map_put(&seen, from->uid, (void *)from);
	while (n && !found) {
		const struct gc_object *o = stack[--n];
		if (!passes(arg, o))
			continue;
		found = slice_eq(o->uid, to_uid);
		GC_DEPENDENTS_FOREACH(e, found ? NULL : gc_graph_owner(g, o->uid))
		if (e->blocks && !map_put(&seen, e->dependent->uid, e->dependent))
			stack[n++] = e->dependent;
	}
	map_release(&seen);
	free(stack);
	return found;
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
