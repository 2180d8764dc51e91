/* DELETE of a collection: what a list with the same query would answer is deleted, each object like by itself, some at
 * a time, each with memory of its own, so that a large collection neither holds the loop up nor fills the memory. When
 * all are through the list is the answer, with the objects as they were, or the first error, but for objects that have
 * gone meanwhile. Who asks inside the process does not read it, and is told that it went well. Upstream:
 * DeleteCollection of the generic registry. */
#include "api/server/verbs/deletion.h"
#include "api/server/verbs/lists/list.h"
#include "api/server/verbs/verbs.h"

#include "api/server/answer.h"
#include "api/server/status.h"
#include "base/check.h"

#include <stdlib.h>

enum { AT_ONCE_MAX = 32 };

struct collection {
	struct list list;       /* first */
	struct deletion shared; /* options */
	size_t next, running;   /* of the selection */
	struct err first_error;
};

struct item {
	struct deletion deletion; /* first */
	struct collection *collection;
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
	mutation_init(m, &verb, k->list.call, &it->arena);
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
	struct call *c = k->list.call;
	if (!c->gone && !k->first_error.code && c->exchange) {
		list_respond(&k->list);
	} else {
		list_drop_selection(&k->list);
		c->shape = SHAPE_OBJECT;
		if (k->first_error.code)
			call_respond_err(c, &k->first_error);
		else
			call_respond_tree(c, 200, status_new(&c->arena, 200, "", ""));
	}
	call_unref(c);
}

static void pump(struct collection *k)
{
	const struct selection *s = &k->list.selection;
	CHECK(k->next <= s->count && k->running <= AT_ONCE_MAX);
	while (!k->list.call->gone && !k->first_error.code && k->next < s->count && k->running < AT_ONCE_MAX)
		start(k, s->objects[k->next++]);
	if (!k->running)
		finish(k);
}

/* Room for the answer is looked for before anything goes. */
static void chosen(struct list *l)
{
	if (!list_charge(l))
		return;
	call_ref(l->call);
	pump((struct collection *)l);
}

void api_delete_collection(struct call *c)
{
	struct collection *k = ARENA_NEW(&c->arena, struct collection);
	struct err err = ERR_INIT;
	LOOP_CHECK_OWNER(c->loop);
	if (deletion_init(&k->shared, &verb, c, &c->arena, &err) == 0)
		list_choose(c, &k->list, chosen);
	else
		call_respond_err(c, &err);
}
