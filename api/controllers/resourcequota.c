/* Resource quotas: status.hard and status.used of each, counted anew of what is there. Admission adds to `used` what is
 * created, in the transaction that creates it; here what has gone is taken off, and a new or changed quota gets its
 * first count. Keys are quotas.
 *
 * Only what some quota counts is watched: an informer for a kind is made when a quota first names it. A quota's own
 * informer and that of the pods tell of one transaction one after the other, so a quota that has changed just now is
 * counted a moment later; not for ever, for somebody may always be changing it. The status is written against the
 * version that was read: whoever draws on the quota meanwhile wins, and it is counted again.
 *
 * Upstream: pkg/controller/resourcequota. */
#include "api/controllers/controllers_int.h"

#include "api/machinery/rules/quota.h"

#include <time.h>

#define QUOTAS "/api/v1/resourcequotas"

enum { REST_MS = 200, STARVED_MS = 2000, AGAIN_MS = 100, RESYNC_MS = 5 * 60 * 1000 };

struct counted {
	struct quotas *of;
	const struct resource *resource;
	struct shared_informer *objects;
	struct informer_index *by_namespace;
	struct list_link link;
};

struct quotas {
	struct controllers *c;
	struct shared_informer *quotas;
	struct informer_index *by_namespace;
	struct work_queue *queue;
	struct list_link counted;
	struct map unrest; /* by quota */
};

/* Of a quota: when it changed last, and since when it has had no rest. */
struct unrest {
	uint64_t changed_ms, since_ms;
	char key[];
};

/* ---- events ---- */

static void add_quotas_of(struct quotas *s, struct slice ns)
{
	const struct informer_group *g = informer_index_group(s->by_namespace, ns);
	INFORMER_GROUP_FOREACH(o, g)
	work_queue_add_after(s->queue, o->key, AGAIN_MS);
}

static void object_changed(void *arg, struct informer_object *o)
{
	struct counted *k = arg;
	struct slice rest = o->key;
	add_quotas_of(k->of, slice_cut(&rest, '/'));
}

/* Most updates change nothing that is counted. */
static void object_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	static const char *const fields[][2] = {
	        {"status", "phase"}, {"metadata", "deletionTimestamp"}, {"spec", "type"}};
	struct slice was = {before->data, before->len};
	for (size_t i = 0; i < COUNT_OF(fields); i++)
		if (!slice_eq(json_find(was, fields[i][0], fields[i][1], NULL),
		            json_find(informer_text(o), fields[i][0], fields[i][1], NULL)))
			object_changed(arg, o);
	const struct counted *k = arg;
	if (strcmp(k->resource->plural, "pods") != 0)
		object_changed(arg, o);
}

static void quota_changed(struct quotas *s, struct informer_object *o)
{
	struct unrest *u = map_get(&s->unrest, o->key);
	uint64_t now = controllers_now_ms(s->c);
	if (!u) {
		u = xcalloc(1, sizeof *u + o->key.len + 1);
		memcpy(u->key, o->key.ptr, o->key.len);
		map_put(&s->unrest, (struct slice){u->key, o->key.len}, u);
	}
	if (now - u->changed_ms > REST_MS)
		u->since_ms = now;
	u->changed_ms = now;
	work_queue_add(s->queue, o->key);
}

static void quota_added(void *arg, struct informer_object *o)
{
	quota_changed(arg, o);
}

static void quota_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	quota_changed(arg, o);
}

static void quota_deleted(void *arg, struct informer_object *o)
{
	struct quotas *s = arg;
	free(map_del(&s->unrest, o->key));
}

/* ---- what is counted ---- */

static struct counted *counted_of(struct quotas *s, const struct resource *r)
{
	LIST_FOREACH (it, &s->counted) {
		struct counted *k = CONTAINER_OF(it, struct counted, link);
		if (k->resource == r)
			return k;
	}
	struct counted *k = ARENA_NEW(&s->c->arena, struct counted);
	const char *path = arena_printf(
	        &s->c->arena, "%s%s/%s/%s", *r->group ? "/apis/" : "/api", r->group, r->version, r->plural);
	*k = (struct counted){.of = s, .resource = r};
	list_push_back(&s->counted, &k->link);
	k->objects = controllers_listen(s->c, path,
	        &(struct informer_handler){
	                .added = object_changed, .updated = object_updated, .deleted = object_changed, .arg = k});
	k->by_namespace = informer_index_get(k->objects, "namespace", informer_index_namespace);
	return k;
}

struct sum {
	struct quotas *s;
	struct arena *arena;
	const struct json *quota;
	struct slice ns;
	const struct resource_list *hard;
	struct resource_list used;
	bool is_waiting; /* for an informer that was made just now */
};

static void add_object(struct sum *x, const struct counted *k, struct informer_object *o)
{
	struct arena a = ARENA_INIT;
	const struct json *object = informer_parse(&a, o);
	struct resource_list u = {.arena = &a};
	if (object && quota_matches(x->quota, k->resource, object))
		u = quota_usage(&a, k->resource, object, time(NULL));
	for (size_t i = 0; i < u.n; i++) {
		struct quantity *sum = resource_list_get(&x->used, u.list[i].name);
		if (sum)
			quantity_add(sum, &u.list[i].q);
	}
	arena_release(&a);
}

static void add_kind(struct sum *x, const struct resource *r)
{
	struct counted *k = counted_of(x->s, r);
	if (!informer_is_synced(shared_informer_base(k->objects))) {
		x->is_waiting = true;
		return;
	}
	const struct informer_group *g = informer_index_group(k->by_namespace, x->ns);
	INFORMER_GROUP_FOREACH(o, g)
	add_object(x, k, o);
}

/* Each kind that a name stands for, once. */
static void sum_up(struct sum *x)
{
	const struct resource **kinds = ARENA_ARRAY(x->arena, const struct resource *, x->hard->n + 1);
	size_t n = 0;
	for (size_t i = 0; i < x->hard->n; i++) {
		struct quantity none = {.format = x->hard->list[i].q.format};
		const struct resource *r = quota_counted(x->arena, x->hard->list[i].name);
		size_t k = 0;
		resource_list_set(&x->used, x->hard->list[i].name, &none);
		while (k < n && kinds[k] != r)
			k++;
		if (r && k == n)
			kinds[n++] = r;
	}
	for (size_t k = 0; k < n; k++)
		add_kind(x, kinds[k]);
}

/* ---- a run ---- */

static bool is_same(const struct resource_list *x, const struct json *there)
{
	if ((there ? there->count : 0) != x->n)
		return false;
	JSON_FOREACH (it, there) {
		struct quantity q;
		struct err unused = ERR_INIT;
		const struct quantity *want = resource_list_get(x, it->key);
		if (!want || quantity_parse(it->text, &q, &unused) != 0 || quantity_cmp(&q, want) != 0)
			return false;
	}
	return true;
}

static void write_status(
        struct work *w, const struct json *quota, const struct resource_list *hard, const struct resource_list *used)
{
	struct arena *a = &w->arena;
	struct json *o = json_copy(a, quota), *status = json_new(a, JSON_OBJECT);
	json_set(a, status, "hard", resource_list_json(hard));
	json_set(a, status, "used", resource_list_json(used));
	json_set(a, o, "status", status);
	work_send(
	        w, "PUT", kube_path(a, "v1", "resourcequotas", w->ns, w->name, "status"), o, work_done_ignore_missing);
}

static bool is_restless(struct quotas *s, const struct informer_object *o)
{
	const struct unrest *u = map_get(&s->unrest, o->key);
	uint64_t now = controllers_now_ms(s->c);
	return u && now - u->changed_ms < REST_MS && now - u->since_ms < STARVED_MS;
}

static void run(struct work *w)
{
	struct quotas *s = w->arg;
	struct informer_object *o = informer_get(shared_informer_base(s->quotas), w->key);
	const struct json *quota = o ? informer_parse(&w->arena, o) : NULL;
	if (!quota || json_find(informer_text(o), "metadata", "deletionTimestamp", NULL).len)
		return;
	struct resource_list hard = resource_list_read(&w->arena, json_path(quota, "spec", "hard", NULL));
	bool is_first = !json_path(quota, "status", "hard", NULL);
	if (!is_first && is_restless(s, o)) {
		work_again(w, REST_MS);
		return;
	}
	struct sum x = {
	        .s = s, .arena = &w->arena, .quota = quota, .ns = w->ns, .hard = &hard, .used.arena = &w->arena};
	sum_up(&x);
	if (x.is_waiting) {
		work_again(w, AGAIN_MS);
		return;
	}
	if (!is_same(&hard, json_path(quota, "status", "hard", NULL)) ||
	        !is_same(&x.used, json_path(quota, "status", "used", NULL)))
		write_status(w, quota, &hard, &x.used);
	work_again(w, RESYNC_MS);
}

void *resource_quota_controller_start(struct controllers *c)
{
	struct quotas *s = xcalloc(1, sizeof *s);
	s->c = c;
	list_init(&s->counted);
	s->queue = controllers_queue(c, "resourcequota", 4, run, s);
	s->quotas = controllers_listen(c, QUOTAS,
	        &(struct informer_handler){
	                .added = quota_added, .updated = quota_updated, .deleted = quota_deleted, .arg = s});
	s->by_namespace = informer_index_get(s->quotas, "namespace", informer_index_namespace);
	return s;
}

void resource_quota_controller_release(void *state)
{
	struct quotas *s = state;
	MAP_FOREACH (slot, &s->unrest)
		free(slot->value);
	map_release(&s->unrest);
	free(s);
}
