/* See definitions.h. An event touches a definition; those that are touched are looked at when the loop's turn ends,
 * each by its newest state:
 *
 *     established, and its spec is not the one that is served    rows are made; the first time its objects are loaded,
 *                                                                and the rows are added when they are there; later the
 *                                                                new rows take the place of the old ones
 *     gone                                                       rows and objects go
 *     this server leads                                          establish.c has the word
 *
 * What can go wrong: a definition from elsewhere (an older server, a restored store) that this server refuses. It is
 * logged, and not served, or served as it was before. */
#include "api/server/extend/definitions.h"
#include "api/server/converting/conversion.h"
#include "api/server/extend/extend_int.h"

#include "api/machinery/rules/custom/definition.h"
#include "api/server/inproc.h"
#include "base/check.h"
#include "base/log.h"

#include <malloc.h>
#include <stdlib.h>

static void look(struct loop_defer *defer);

void definition_touch(struct definition *d)
{
	if (!list_linked(&d->dirty))
		list_push_back(&d->all->dirty, &d->dirty);
	loop_defer(d->all->server->loop, &d->all->look);
}

struct object *definition_object(const struct definition *d)
{
	return cache_get(d->all->follower.source, d->name);
}

const struct resource *definition_storage(const struct definition *d)
{
	return d->set ? d->set->rows[0].storage : NULL;
}

/* ---- rows ---- */

static void add_rows(struct definition *d, struct custom_resources *set)
{
	struct err err = ERR_INIT;
	for (size_t i = 0; i < set->count; i++)
		if (set->served[i] && resources_add(&set->rows[i], &err) != 0)
			log_warn("extend", "a version of a custom resource cannot be served", "name=%.*s error=\"%s\"",
			        SLICE_FMT(d->name), err.msg);
	d->is_added = true;
}

static void retire_rows(struct definition *d)
{
	for (size_t i = 0; d->is_added && i < d->set->count; i++)
		if (d->set->served[i])
			resources_retire(&d->set->rows[i]);
	d->is_added = false;
}

static void drop_set(struct definition *d)
{
	struct custom_resources *set = TAKE(d->set);
	conversion_retire(set);
	custom_resources_unref(set);
}

static void is_loaded(struct cache_kind *k, const struct err *err)
{
	struct definition *d = CONTAINER_OF(k, struct definition, kind);
	struct definitions *all = d->all;
	d->is_loading = false;
	all->loading--;
	if (err->code == ERR_CANCELED)
		return;
	if (err->code) { /* the store's trouble: begun anew at the next tick */
		log_warn("extend", "custom resources cannot be loaded, it is tried again", "name=%.*s error=\"%s\"",
		        SLICE_FMT(d->name), err->msg);
		cache_kind_forget(all->server->cache, definition_storage(d));
		drop_set(d);
		d->generation = 0;
		d->retries = true;
	} else if (definition_object(d)) {
		add_rows(d, d->set);
	}
	definition_touch(d);
}

static void load(struct definition *d)
{
	d->kind = (struct cache_kind){.resource = definition_storage(d), .loaded = is_loaded};
	d->is_loading = true;
	d->all->loading++;
	cache_kind_add(d->all->server->cache, &d->kind);
}

static bool same_selectors(const struct resource *x, const struct resource *y)
{
	bool same = x->selector_count == y->selector_count;
	for (size_t i = 0; same && i < x->selector_count; i++)
		same = strcmp(x->selectors[i].path, y->selectors[i].path) == 0;
	return same;
}

/* Do both read objects of the store the same way? */
static bool reads_alike(const struct resource *x, const struct resource *y)
{
	return strcmp(x->api_version, y->api_version) == 0 && slice_eq(x->openapi_packed, y->openapi_packed) &&
	       !x->conversion == !y->conversion && same_selectors(x, y);
}

static void replace(struct definition *d, struct custom_resources *set)
{
	struct custom_resources *before = d->set;
	bool changes_objects = !reads_alike(before->rows[0].storage, set->rows[0].storage);
	retire_rows(d);
	d->set = set;
	cache_kind_renew(d->all->server->cache, definition_storage(d), changes_objects);
	add_rows(d, set);
	conversion_retire(before);
	custom_resources_unref(before);
}

static void serve(struct definition *d, const struct json *crd)
{
	int64_t generation = json_int(json_path(crd, "metadata", "generation", NULL), 0);
	struct custom_resources *set;
	struct err err = ERR_INIT;
	if (d->is_loading || (d->set && d->generation == generation))
		return;
	if (custom_kind_new(crd, &set, &err) != 0) {
		log_warn("extend", "a definition is not served", "name=%.*s error=\"%s\"", SLICE_FMT(d->name), err.msg);
		return;
	}
	conversion_attach(d->all->server, set, crd);
	d->generation = generation;
	if (d->set) {
		replace(d, set);
	} else {
		d->set = set;
		load(d);
	}
}

/* ---- a definition ---- */

static struct definition *need(struct definitions *all, struct slice name)
{
	struct definition *d = map_get(&all->by_name, name);
	if (d)
		return d;
	d = MAP_ENTRY_NEW(struct definition, name, name);
	d->all = all;
	list_init(&d->dirty);
	map_put(&all->by_name, d->name, d);
	return d;
}

static void unserve(struct definition *d)
{
	retire_rows(d);
	if (d->set)
		cache_kind_forget(d->all->server->cache, definition_storage(d));
	drop_set(d);
}

static void free_definition(struct definition *d)
{
	arena_release(&d->arena);
	arena_release(&d->write.arena);
	drop_set(d);
	free(d);
}

static void forget(struct definition *d)
{
	struct definitions *all = d->all;
	if (d->write.is_out || d->is_loading) /* looked at again when that is back */
		return;
	unserve(d);
	map_del(&all->by_name, d->name);
	definitions_retry_names(all, d->names.group);
	list_del(&d->dirty);
	free_definition(d);
}

static void see(struct definition *d, struct arena *a, struct json *crd)
{
	arena_reset(&d->arena);
	naming_read(&d->arena, crd, &d->names);
	bool is_dying = json_path(crd, "metadata", "deletionTimestamp", NULL) != NULL;
	if (definition_has_condition(crd, "Established"))
		serve(d, crd);
	if (d->set)
		atomic_store(&d->set->is_terminating, is_dying);
	if (d->all->leads)
		definition_establish(d, a, crd);
}

static void look_at(struct definition *d)
{
	struct object *o = definition_object(d);
	struct arena a = ARENA_INIT;
	struct json *crd = o ? json_parse(&a, object_text(o), NULL, NULL) : NULL;
	if (crd)
		see(d, &a, crd);
	else
		forget(d);
	arena_release(&a);
}

/* ---- all of them ---- */

static void tell_ready(struct definitions *all)
{
	void (*ready)(struct api_server *) = all->ready;
	if (!ready || all->loading || !list_empty(&all->dirty))
		return;
	all->ready = NULL;
	malloc_trim(0); /* what trees of definitions took is not needed again so soon */
	ready(all->server);
}

static void look(struct loop_defer *defer)
{
	struct definitions *all = CONTAINER_OF(defer, struct definitions, look);
	struct list_link *it;
	while (!all->is_closing && (it = list_pop_front(&all->dirty))) {
		struct definition *d = CONTAINER_OF(it, struct definition, dirty);
		list_init(&d->dirty);
		look_at(d);
	}
	if (!all->is_closing)
		tell_ready(all);
}

static void changed(struct cache_follower *f, const struct object *before, const struct object *now)
{
	struct definitions *all = CONTAINER_OF(f, struct definitions, follower);
	const struct object *o = now ? now : before;
	definition_touch(need(all, o->key));
}

/* All follow as new ones: those that are gone meanwhile are found when they are looked at. */
static void forget_all(struct cache_follower *f)
{
	struct definitions *all = CONTAINER_OF(f, struct definitions, follower);
	MAP_FOREACH (slot, &all->by_name)
		definition_touch(slot->value);
}

void definitions_tick(struct definitions *all)
{
	bool leads = store_leads(all->server->store);
	if (!all->is_started || all->is_closing)
		return;
	MAP_FOREACH (slot, &all->by_name) {
		struct definition *d = slot->value;
		if (d->retries || (leads && !all->leads))
			definition_touch(d);
		d->is_emptied = d->is_emptied && !d->retries;
		d->retries = false;
	}
	all->leads = leads;
}

/* ---- life ---- */

struct definitions *definitions_new(struct api_server *s)
{
	struct definitions *all = xcalloc(1, sizeof *all);
	all->server = s;
	list_init(&all->dirty);
	loop_defer_init(&all->look, look);
	all->follower.changed = changed;
	all->follower.forget = forget_all;
	cache_follower_init(&all->follower, s->cache,
	        resource_find_preferred(SLICE("apiextensions.k8s.io"), SLICE("customresourcedefinitions")));
	return all;
}

void definitions_start(struct definitions *all, void (*ready)(struct api_server *s))
{
	struct api_server *s = all->server;
	LOOP_CHECK_OWNER(s->loop);
	all->client = api_server_client(s, s->loop, "system:apiserver", "system:masters");
	all->ready = ready;
	all->is_started = true;
	all->leads = store_leads(s->store);
	cache_follower_catch_up(&all->follower);
	loop_defer(s->loop, &all->look);
}

void definitions_close(struct definitions *all, void (*closed)(void *arg), void *arg)
{
	LOOP_CHECK_OWNER(all->server->loop);
	all->is_closing = true;
	all->ready = NULL;
	loop_defer_cancel(&all->look);
	if (all->client)
		client_close(TAKE(all->client), closed, arg);
	else
		closed(arg);
}

void definitions_stop(struct definitions *all)
{
	cache_follower_stop(&all->follower);
	loop_defer_cancel(&all->look);
	MAP_FOREACH (slot, &all->by_name)
		retire_rows(slot->value);
}

void definitions_free(struct definitions *all)
{
	if (!all)
		return;
	MAP_FOREACH (slot, &all->by_name) {
		CHECK(!((struct definition *)slot->value)->is_loading);
		free_definition(slot->value);
	}
	map_release(&all->by_name);
	free(all);
}
