/* DELETE of a collection: each object that is selected is deleted like by itself, some at a time, each with memory of
 * its own, so that a large collection neither holds the loop up nor fills the memory. The answer comes when all are
 * through; the first error is it, but for objects that have gone meanwhile. */
#include "api/server/verbs/deletion.h"
#include "api/server/verbs/verbs.h"

#include "api/server/answer.h"
#include "api/server/cache/fresh.h"
#include "api/server/state.h"
#include "api/server/status.h"
#include "base/check.h"

#include <stdlib.h>

enum { AT_ONCE_MAX = 32 };

struct collection {
	struct call *call;
	struct deletion shared; /* options */
	struct object **items;  /* references, from `next` on */
	size_t count, next, running;
	struct err first_error;
};

struct item {
	struct deletion deletion; /* first */
	struct collection *collection;
	struct object *object; /* a reference: its name */
	struct arena arena;
};

static void pump(struct collection *k);

/* ---- one of them ---- */

static void item_ok(struct mutation *m)
{
}

static void item_failed(struct mutation *m, const struct err *err)
{
	struct collection *k = ((struct item *)m)->collection;
	if (err->code != ERR_NOT_FOUND && !k->first_error.code)
		k->first_error = *err;
}

static void item_over(struct mutation *m)
{
	struct item *it = (struct item *)m;
	struct collection *k = it->collection;
	CHECK(k->running > 0);
	object_unref(it->object);
	arena_release(&it->arena);
	free(it);
	k->running--;
	pump(k);
}

static const struct mutation_verb verb = {.name = "delete of a collection",
        .operation = ADMISSION_DELETE,
        .is_partial = true,
        .decode = deletion_decode,
        .answer = item_ok,
        .fail = item_failed,
        .over = item_over};

static void start(struct collection *k, struct object *o)
{
	struct item *it = xcalloc(1, sizeof *it);
	struct mutation *m = &it->deletion.mutation;
	it->collection = k;
	it->object = o;
	mutation_init(m, &verb, k->call, &it->arena);
	m->ns = object_namespace(o);
	m->name = object_name(o);
	m->is_dry_run = k->shared.mutation.is_dry_run;
	it->deletion.options = k->shared.options;
	k->running++;
	mutation_start(m);
}

/* ---- all of them ---- */

static void finish(struct collection *k)
{
	struct call *c = k->call;
	while (k->next < k->count) /* the client has gone */
		object_unref(k->items[k->next++]);
	c->shape = SHAPE_OBJECT;
	if (k->first_error.code)
		call_respond_err(c, &k->first_error);
	else
		call_respond_tree(c, 200, status_new(&c->arena, 200, "", ""));
	call_unref(c);
}

static void pump(struct collection *k)
{
	CHECK(k->next <= k->count && k->running <= AT_ONCE_MAX);
	while (!k->call->gone && k->next < k->count && k->running < AT_ONCE_MAX)
		start(k, k->items[k->next++]);
	if (!k->running)
		finish(k);
}

static int choose(struct collection *k, struct err *err)
{
	struct call *c = k->call;
	struct object_filter filter = {.ns = c->route.ns};
	struct cache_resource *cr = cache_resource(c->server->cache, c->route.resource);
	if (label_selector_parse(&c->arena, call_param(c, "labelSelector"), &filter.labels, err) != 0 ||
	        field_selector_parse(&c->arena, call_param(c, "fieldSelector"), &filter.fields, err) != 0 ||
	        object_filter_check(&filter, c->route.resource, err) != 0)
		return err->code;
	k->items = ARENA_ARRAY(&c->arena, struct object *, cr->objects.count + 1);
	for (struct omap_node *n = cr->objects.head[0]; n; n = omap_next(n))
		if (object_matches(n->value, &filter, cr->resource))
			k->items[k->count++] = object_ref(n->value);
	return 0;
}

static void cache_is_fresh(struct call *c)
{
	struct collection *k = c->handler_data;
	struct err err = ERR_INIT;
	if (choose(k, &err) != 0) {
		call_respond_err(c, &err);
		return;
	}
	call_ref(c);
	pump(k);
}

void api_delete_collection(struct call *c)
{
	struct collection *k = ARENA_NEW(&c->arena, struct collection);
	struct err err = ERR_INIT;
	LOOP_CHECK_OWNER(c->loop);
	k->call = c;
	c->handler_data = k;
	if (deletion_init(&k->shared, &verb, c, &c->arena, &err) == 0)
		fresh_wait(c, false, cache_is_fresh);
	else
		call_respond_err(c, &err);
}
