/* ResourceQuota: what a namespace's quotas allow is not exceeded, however many ask at once.
 *
 * What an object uses is added to the quota's status.used in the transaction that stores the object: both happen or
 * neither, on any server. On one server those who draw on the quotas of a namespace do so in turn (a queue), for of two
 * that read the same status only one could write: the next one waits until the one before is through, and until the
 * watch cache has what it wrote. What goes away is given back by the quota controller, which counts what is there.
 *
 * A quota whose status the controller has not filled in yet lets nothing through that it is about. Words are
 * upstream's.
 *
 * What can go wrong: the controller, or another server, writes the status meanwhile: the transaction fails, and the
 * mutation is tried again on the newer one. */
#include "api/server/admission/admission.h"
#include "api/server/admission/plugin.h"

#include "api/machinery/rules/quota.h"
#include "api/server/admission/config.h"
#include "api/server/call.h"
#include "api/server/state.h"
#include "api/server/strategy.h"
#include "base/check.h"

#include <stdlib.h>
#include <time.h>

/* ---- turns ---- */

/* One namespace that somebody draws on. */
struct quota_line {
	struct map *lines; /* where it is kept, by namespace */
	struct slice ns;
	struct list_link waiting; /* admission.in_line */
	struct admission *holder;
	struct cache *cache;
	struct cache_wait wait; /* for what the last holder wrote */
	int64_t revision;
	char name[];
};

static void go_on(struct admission *a);

static struct quota_line *line_of(struct admission *a)
{
	struct map *lines = &a->call->server->quota_lines;
	struct quota_line *l = map_get(lines, a->ns);
	if (l)
		return l;
	l = xcalloc(1, sizeof *l + a->ns.len + 1);
	memcpy(l->name, a->ns.ptr, a->ns.len);
	l->ns = (struct slice){l->name, a->ns.len};
	l->lines = lines;
	l->cache = a->call->server->cache;
	list_init(&l->waiting);
	map_put(lines, l->ns, l);
	return l;
}

/* True: it is this one's turn at once. */
static bool take_turn(struct admission *a)
{
	struct quota_line *l = line_of(a);
	a->line = l;
	if (!l->holder) {
		l->holder = a;
		return true;
	}
	list_push_back(&l->waiting, &a->in_line);
	return false;
}

static void next_turn(struct cache_wait *w)
{
	struct quota_line *l = CONTAINER_OF(w, struct quota_line, wait);
	CHECK(l->holder != NULL);
	go_on(l->holder);
}

void quota_end_turn(struct admission *a, int64_t revision)
{
	struct quota_line *l = TAKE(a->line);
	if (!l)
		return;
	CHECK(l->holder == a);
	if (revision > l->revision)
		l->revision = revision;
	struct list_link *next = list_pop_front(&l->waiting);
	l->holder = next ? CONTAINER_OF(next, struct admission, in_line) : NULL;
	if (!next) {
		CHECK(map_del(l->lines, l->ns) == l);
		free(l);
		return;
	}
	l->wait = (struct cache_wait){.revision = l->revision, .reached = next_turn};
	cache_wait(l->cache, &l->wait);
}

/* ---- quotas ---- */

struct drawing {
	struct admission *a;
	struct resource_list usage; /* more than before */
	bool is_about_any;
	struct resource_list covered; /* names that a quota has which is about this object */
	struct err *err;
};

/* Names that both have. */
static struct resource_list in_both(struct arena *a, const struct resource_list *x, const struct resource_list *names)
{
	struct resource_list out = {.arena = a};
	for (size_t i = 0; i < x->n; i++)
		if (resource_list_get(names, x->list[i].name))
			resource_list_set(&out, x->list[i].name, &x->list[i].q);
	return out;
}

static struct resource_list list_at(struct admission *a, const struct json *quota, const char *part, const char *list)
{
	return resource_list_read(a->arena, json_path(quota, part, list, NULL));
}

/* Those of the quota's names that are about objects of this kind. */
static struct resource_list about(const struct admission *a, const struct resource_list *bounds)
{
	struct resource_list out = {.arena = a->arena};
	for (size_t i = 0; i < bounds->n; i++) {
		const struct resource *r = quota_counted(a->arena, bounds->list[i].name);
		if (r && r->storage == a->resource->storage)
			resource_list_set(&out, bounds->list[i].name, &bounds->list[i].q);
	}
	return out;
}

/* Those of `asked` that would go beyond `hard`. */
static struct resource_list exceeded(struct arena *a, const struct resource_list *asked,
        const struct resource_list *used, const struct resource_list *hard)
{
	struct resource_list out = {.arena = a};
	for (size_t i = 0; i < asked->n; i++) {
		struct quantity sum = asked->list[i].q;
		const struct quantity *u = resource_list_get(used, asked->list[i].name),
		                      *h = resource_list_get(hard, asked->list[i].name);
		if (u)
			quantity_add(&sum, u);
		if (h && quantity_cmp(&sum, h) > 0)
			resource_list_set(&out, asked->list[i].name, &asked->list[i].q);
	}
	return out;
}

static int forbid_exceeding(struct drawing *d, struct slice name, const struct resource_list *over,
        const struct resource_list *used, const struct resource_list *hard)
{
	struct arena *a = d->a->arena;
	struct resource_list u = in_both(a, used, over), h = in_both(a, hard, over);
	return admission_forbid(d->a, d->err,
	        arena_printf(a, "exceeded quota: %.*s, requested: %s, used: %s, limited: %s", SLICE_FMT(name),
	                resource_list_text(over, a), resource_list_text(&u, a), resource_list_text(&h, a)));
}

/* The quota with more used is a part of the transaction. */
static void draw(struct drawing *d, struct object *o, struct json *quota, struct resource_list *used,
        const struct resource_list *asked)
{
	struct admission *a = d->a;
	struct strbuf key = STRBUF_INIT, text = STRBUF_INIT;
	const struct resource *r = resource_find_preferred(SLICE(""), SLICE("resourcequotas"))->storage;
	resource_list_add(used, asked);
	json_set(a->arena, json_need(a->arena, quota, "status", JSON_OBJECT), "used", resource_list_json(used));
	json_del(json_get(quota, "metadata"), "resourceVersion");
	strategy_write_changed(&text, quota, o);
	resource_storage_key(&key, r, a->ns, object_name(o));
	struct admission_write *w =
	        admission_add_write(a, (struct slice){arena_memdup(a->arena, key.data, key.len), key.len});
	w->value = (struct slice){arena_memdup(a->arena, text.data, text.len), text.len};
	w->resource = r;
	w->when = ADMISSION_IF_AT;
	w->revision = o->revision;
	strbuf_release(&key);
	strbuf_release(&text);
}

/* What the quota says to what is asked for; adds a write when it is drawn on. */
static void ask_quota(struct drawing *d, struct object *o, struct json *quota)
{
	struct admission *a = d->a;
	struct slice name = object_name(o);
	struct resource_list spec = list_at(a, quota, "spec", "hard"), hard = list_at(a, quota, "status", "hard"),
	                     used = list_at(a, quota, "status", "used");
	const struct resource_list *bounds = hard.n ? &hard : &spec;
	struct resource_list asked = in_both(a->arena, &d->usage, bounds);
	bool is_pod = resource_has(a->resource, KIND_IS_POD) && resource_list_get(&d->usage, SLICE("pods"));
	const char *missing = is_pod ? quota_missing(a->arena, bounds, a->object) : NULL;
	if (missing) {
		admission_forbid(a, d->err, arena_printf(a->arena, "failed quota: %.*s: %s", SLICE_FMT(name), missing));
		return;
	}
	if (!asked.n)
		return;
	struct resource_list known = in_both(a->arena, &asked, &used);
	if (known.n < asked.n) {
		struct resource_list names = about(a, bounds);
		admission_forbid(a, d->err,
		        arena_printf(a->arena, "status unknown for quota: %.*s, resources: %s", SLICE_FMT(name),
		                resource_list_names(&names, a->arena)));
		return;
	}
	struct resource_list over = exceeded(a->arena, &asked, &used, &hard);
	if (over.n)
		forbid_exceeding(d, name, &over, &used, &hard);
	else
		draw(d, o, quota, &used, &asked);
}

static void cover(struct drawing *d, const struct json *quota)
{
	struct resource_list hard = list_at(d->a, quota, "spec", "hard");
	for (size_t i = 0; i < hard.n; i++)
		resource_list_set(&d->covered, hard.list[i].name, &hard.list[i].q);
}

/* ---- what nobody uses without a quota for it ---- */

static bool is_limited(const struct json *limit, const struct admission *a, struct slice name)
{
	if (!slice_is(json_get_str(limit, "resource"), a->resource->plural) ||
	        !slice_is(json_get_str(limit, "apiGroup"), a->resource->group))
		return false;
	JSON_FOREACH (it, json_get(limit, "matchContains"))
		if (memmem(name.ptr, name.len, json_str(it).ptr, json_str(it).len))
			return true;
	return false;
}

static int check_limited(struct drawing *d)
{
	struct admission *a = d->a;
	struct resource_list uncovered = {.arena = a->arena};
	JSON_FOREACH (limit, a->call->server->admission->limited)
		for (size_t i = 0; i < d->usage.n; i++)
			if (is_limited(limit, a, d->usage.list[i].name) &&
			        !resource_list_get(&d->covered, d->usage.list[i].name))
				resource_list_set(&uncovered, d->usage.list[i].name, &d->usage.list[i].q);
	if (!uncovered.n)
		return 0;
	return admission_forbid(a, d->err,
	        arena_printf(a->arena, "insufficient quota to consume: %s", resource_list_names(&uncovered, a->arena)));
}

static void look_at_quota(void *arg, struct object *o)
{
	struct drawing *d = arg;
	struct json *quota = d->err->code ? NULL : json_parse(d->a->arena, object_text(o), NULL, NULL);
	if (!quota || !quota_matches(quota, d->a->resource, d->a->object))
		return;
	d->is_about_any = true;
	cover(d, quota);
	if (d->a->line)
		ask_quota(d, o, quota);
}

/* What the change uses more than before: nothing of it is less. */
static struct resource_list usage_of(struct admission *a)
{
	struct resource_list now = quota_usage(a->arena, a->resource, a->object, time(NULL)),
	                     more = {.arena = a->arena};
	if (a->old) {
		struct resource_list before = quota_usage(a->arena, a->resource, a->old, time(NULL));
		resource_list_sub(&now, &before);
	}
	for (size_t i = 0; i < now.n; i++)
		if (quantity_sign(&now.list[i].q) > 0)
			resource_list_set(&more, now.list[i].name, &now.list[i].q);
	return more;
}

/* Without a turn: is there a quota to ask at all? With one: asks them. */
static int look(struct admission *a, bool *ret_is_about_any, struct err *err)
{
	struct drawing d = {.a = a, .usage = usage_of(a), .covered = {.arena = a->arena}, .err = err};
	if (d.usage.n)
		admission_each(a, "", "resourcequotas", a->ns, look_at_quota, &d);
	if (!err->code)
		check_limited(&d);
	*ret_is_about_any = d.is_about_any;
	return err->code;
}

static void go_on(struct admission *a)
{
	struct err err = ERR_INIT;
	bool unused;
	look(a, &unused, &err);
	admission_resume(a, &err);
}

/* Updates draw on a quota where they can use more: of services and claims, and of pods that are resized. */
int admit_resource_quota(struct admission *a, struct err *err)
{
	bool is_about_any = false, may_grow = *a->sub || resource_has(a->resource, KIND_IS_SERVICE | KIND_IS_CLAIM);
	if (!a->resource->namespaced || (a->operation == ADMISSION_UPDATE && !may_grow))
		return 0;
	if (look(a, &is_about_any, err) != 0 || !is_about_any)
		return err->code;
	if (!take_turn(a))
		return ADMISSION_LATER;
	return look(a, &is_about_any, err);
}
