/* See informer_set.h. The informer's `user` field of each object holds its entry: one link for each index, so that an
 * object leaves its groups without a search. */
#include "api/client/informer_set.h"

#include "base/rt/closing.h"
#include "api/client/meta.h"
#include "base/check.h"
#include "base/json/scan.h"

#include <stdlib.h>

enum { INDEXES_MAX = 4 };

struct informer_group {
	struct slice key;
	struct list_link members;
	size_t count;
};

struct informer_index {
	const char *name;
	void (*key)(struct slice object, struct strbuf *out);
	struct map groups;
	size_t at; /* which link of the entries */
};

struct member {
	struct list_link link;
	struct informer_object *object;
	struct informer_group *group; /* NULL: in none */
};

struct entry {
	struct member members[INDEXES_MAX];
};

struct shared_informer {
	struct informer_set *set;
	struct slice path;
	struct informer *base;
	struct list_link handlers;
	struct informer_index *indexes[INDEXES_MAX];
	size_t index_count;
	unsigned holders; /* who got it and has not left */
};

struct waiter {
	struct waiter *next;
	void (*fn)(void *arg);
	void *arg;
	struct shared_informer **informers;
	size_t count;
};

struct informer_set {
	struct client *client;
	struct map informers;
	struct waiter *waiters;
	struct loop_defer check_waiters;
	struct closing closing;
	bool is_closing;
	void (*closed)(void *arg);
	void *closed_arg;
	struct strbuf scratch;
};

/* ---- indexes ---- */

static void leave(struct informer_index *x, struct member *m)
{
	struct informer_group *g = m->group;
	if (!g)
		return;
	list_del(&m->link);
	m->group = NULL;
	if (--g->count)
		return;
	map_del(&x->groups, g->key);
	free(g);
}

static struct informer_group *group_need(struct informer_index *x, struct slice key)
{
	struct informer_group *g = map_get(&x->groups, key);
	if (g)
		return g;
	g = MAP_ENTRY_NEW(struct informer_group, key, key);
	list_init(&g->members);
	map_put(&x->groups, g->key, g);
	return g;
}

static void place(struct shared_informer *i, struct informer_index *x, struct informer_object *o)
{
	struct entry *e = o->user;
	struct member *m = &e->members[x->at];
	struct strbuf *key = &i->set->scratch;
	strbuf_reset(key);
	x->key(informer_text(o), key);
	if (m->group && slice_eq(m->group->key, strbuf_slice(key)))
		return;
	leave(x, m);
	if (!key->len)
		return;
	m->object = o;
	m->group = group_need(x, strbuf_slice(key));
	m->group->count++;
	list_push_back(&m->group->members, &m->link);
}

static void entry_place(struct shared_informer *i, struct informer_object *o)
{
	if (!i->index_count)
		return;
	if (!o->user)
		o->user = xcalloc(1, sizeof(struct entry));
	for (size_t k = 0; k < i->index_count; k++)
		place(i, i->indexes[k], o);
}

static void entry_free(struct shared_informer *i, struct informer_object *o)
{
	struct entry *e = o->user;
	if (!e)
		return;
	for (size_t k = 0; k < i->index_count; k++)
		leave(i->indexes[k], &e->members[k]);
	free(e);
	o->user = NULL;
}

struct informer_index *informer_index_get(
        struct shared_informer *i, const char *name, void (*key)(struct slice object, struct strbuf *out))
{
	for (size_t k = 0; k < i->index_count; k++)
		if (strcmp(i->indexes[k]->name, name) == 0)
			return i->indexes[k];
	CHECK(i->index_count < INDEXES_MAX);
	struct informer_index *x = xcalloc(1, sizeof *x);
	*x = (struct informer_index){.name = name, .key = key, .at = i->index_count};
	i->indexes[i->index_count++] = x;
	INFORMER_FOREACH(o, i->base)
	entry_place(i, o);
	return x;
}

const struct informer_group *informer_index_group(const struct informer_index *x, struct slice key)
{
	return map_get(&x->groups, key);
}

size_t informer_group_count(const struct informer_group *g)
{
	return g ? g->count : 0;
}

struct informer_object *informer_group_next(const struct informer_group *g, struct list_link **at)
{
	if (!g)
		return NULL;
	*at = *at ? (*at)->next : g->members.next;
	return *at == &g->members ? NULL : CONTAINER_OF(*at, struct member, link)->object;
}

void informer_index_pod_node(struct slice object, struct strbuf *out)
{
	strbuf_add_slice(out, json_find(object, "spec", "nodeName", NULL));
}

void informer_index_namespace(struct slice object, struct strbuf *out)
{
	strbuf_add_slice(out, json_find(object, "metadata", "namespace", NULL));
}

void informer_index_owner(struct slice object, struct strbuf *out)
{
	struct meta m;
	struct owner_ref owner;
	meta_read(object, &m);
	if (owner_ref_controller(m.owners, &owner)) {
		strbuf_add_slice(out, owner.uid);
		return;
	}
	strbuf_addc(out, '/');
	strbuf_add_slice(out, m.ns);
}

/* ---- events ---- */

static void on_added(void *arg, struct informer_object *o)
{
	struct shared_informer *i = arg;
	entry_place(i, o);
	LIST_FOREACH (it, &i->handlers) {
		struct informer_handler *h = CONTAINER_OF(it, struct informer_handler, link);
		if (h->added)
			h->added(h->arg, o);
	}
}

static void on_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	struct shared_informer *i = arg;
	entry_place(i, o);
	LIST_FOREACH (it, &i->handlers) {
		struct informer_handler *h = CONTAINER_OF(it, struct informer_handler, link);
		if (h->updated)
			h->updated(h->arg, o, before);
	}
}

static void tell_deleted(struct shared_informer *i, struct informer_object *o)
{
	LIST_FOREACH (it, &i->handlers) {
		struct informer_handler *h = CONTAINER_OF(it, struct informer_handler, link);
		if (h->deleted)
			h->deleted(h->arg, o);
	}
}

static void on_deleted(void *arg, struct informer_object *o)
{
	struct shared_informer *i = arg;
	entry_free(i, o);
	tell_deleted(i, o);
}

static void on_synced(void *arg)
{
	struct shared_informer *i = arg;
	loop_defer(i->set->client->loop, &i->set->check_waiters);
}

void informer_set_listen(struct shared_informer *i, struct informer_handler *h)
{
	list_push_back(&i->handlers, &h->link);
	if (h->added)
		INFORMER_FOREACH(o, i->base)
	h->added(h->arg, o);
}

void informer_set_ignore(struct informer_handler *h)
{
	if (h->link.next && list_linked(&h->link))
		list_del(&h->link);
}

/* ---- waiting for the initial objects ---- */

static bool is_synced(const struct waiter *w)
{
	for (size_t k = 0; k < w->count; k++)
		if (!informer_is_synced(w->informers[k]->base))
			return false;
	return true;
}

static void check_waiters(struct loop_defer *d)
{
	struct informer_set *s = CONTAINER_OF(d, struct informer_set, check_waiters);
	for (struct waiter **at = &s->waiters; *at;) {
		struct waiter *w = *at;
		if (!is_synced(w)) {
			at = &w->next;
			continue;
		}
		*at = w->next;
		w->fn(w->arg);
		free(w->informers);
		free(w);
	}
}

void informer_set_when_synced(struct informer_set *s, void (*fn)(void *arg), void *arg)
{
	struct waiter *w = xcalloc(1, sizeof *w);
	w->fn = fn;
	w->arg = arg;
	w->informers = xcalloc(s->informers.count + 1, sizeof *w->informers);
	MAP_FOREACH (slot, &s->informers)
		w->informers[w->count++] = slot->value;
	w->next = s->waiters;
	s->waiters = w;
	loop_defer(s->client->loop, &s->check_waiters);
}

void informer_set_stop_waiting(struct informer_set *s, void (*fn)(void *arg), void *arg)
{
	for (struct waiter **at = &s->waiters; *at; at = &(*at)->next)
		if ((*at)->fn == fn && (*at)->arg == arg) {
			struct waiter *w = *at;
			*at = w->next;
			free(w->informers);
			free(w);
			return;
		}
}

/* ---- life ---- */

static void set_closed(struct closing *c)
{
	struct informer_set *s = CONTAINER_OF(c, struct informer_set, closing);
	for (struct waiter *next, *w = s->waiters; w; w = next) {
		next = w->next;
		free(w->informers);
		free(w);
	}
	map_release(&s->informers);
	strbuf_release(&s->scratch);
	void (*closed)(void *) = s->closed;
	void *arg = s->closed_arg;
	free(s);
	if (closed)
		closed(arg);
}

struct informer_set *informer_set_new(struct client *client)
{
	struct informer_set *s = xcalloc(1, sizeof *s);
	s->client = client;
	s->closing.all_closed = set_closed;
	closing_hold(&s->closing);
	loop_defer_init(&s->check_waiters, check_waiters);
	return s;
}

struct shared_informer *informer_set_get(struct informer_set *s, const char *path)
{
	struct shared_informer *i = map_get(&s->informers, slice_of(path));
	if (i) {
		i->holders++;
		return i;
	}
	CHECK(!s->is_closing);
	i = MAP_ENTRY_NEW(struct shared_informer, path, slice_of(path));
	i->set = s;
	i->holders = 1;
	list_init(&i->handlers);
	i->base = informer_new(&(struct informer_options){.client = s->client,
	        .path = path,
	        .added = on_added,
	        .updated = on_updated,
	        .deleted = on_deleted,
	        .synced = on_synced,
	        .arg = i});
	map_put(&s->informers, i->path, i);
	return i;
}

struct informer *shared_informer_base(struct shared_informer *i)
{
	return i->base;
}

static void forget_waits(struct informer_set *s, const struct shared_informer *i)
{
	for (struct waiter *w = s->waiters; w; w = w->next)
		for (size_t k = 0; k < w->count;)
			if (w->informers[k] == i)
				w->informers[k] = w->informers[--w->count];
			else
				k++;
}

static void informer_gone(void *arg)
{
	struct shared_informer *i = arg;
	struct informer_set *s = i->set;
	free(i);
	closing_part_done(&s->closing);
}

static void end(struct shared_informer *i)
{
	INFORMER_FOREACH(o, i->base)
	entry_free(i, o);
	for (size_t k = 0; k < i->index_count; k++) {
		map_release(&i->indexes[k]->groups);
		free(i->indexes[k]);
	}
	i->index_count = 0;
	closing_hold(&i->set->closing);
	informer_close(i->base, informer_gone, i);
}

void informer_set_leave(struct shared_informer *i, struct informer_handler *h)
{
	struct informer_set *s = i->set;
	if (h->deleted)
		INFORMER_FOREACH(o, i->base)
	h->deleted(h->arg, o);
	informer_set_ignore(h);
	CHECK(i->holders > 0);
	if (--i->holders > 0)
		return;
	map_del(&s->informers, i->path);
	forget_waits(s, i);
	end(i);
	loop_defer(s->client->loop, &s->check_waiters);
}

void informer_set_close(struct informer_set *s, void (*closed)(void *arg), void *arg)
{
	s->is_closing = true;
	s->closed = closed;
	s->closed_arg = arg;
	loop_defer_cancel(&s->check_waiters);
	MAP_FOREACH (slot, &s->informers)
		end(slot->value);
	closing_part_done(&s->closing);
}
