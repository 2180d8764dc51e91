/* See api_objects.h. */
#include "jepsen/api_objects.h"

#include "base/check.h"

#include <stdlib.h>
#include <time.h>

enum { CALL_MS_MAX = 2000, PREPARE_MS_MAX = 10000, PREPARE_POLL_MS = 200, PAGE = 5, LISTED_MAX = 4 * API_OBJECTS };

/* ---- clients ---- */

static struct kube_client *connect_to(struct worker *w)
{
	struct cluster *c = &w->run->cluster;
	return kube_client_new(c->tls, c->net.nodes[w->node].address, CLUSTER_API_PORT, CALL_MS_MAX);
}

struct kube_client *api_client(struct worker *w, size_t size)
{
	struct api_state *s = w->state;
	if (!s)
		s = w->state = xcalloc(1, size);
	if (!s->client)
		s->client = connect_to(w);
	return s->client;
}

void api_move_on(struct worker *w)
{
	struct api_state *s = w->state;
	unsigned count = w->run->cluster.count;
	if (count < 2 || rng_chance(&w->rng, 50))
		return;
	kube_client_free(s->client);
	s->client = NULL;
	w->node = (w->node + 1) % count;
}

void api_end(struct worker *w)
{
	struct api_state *s = w->state;
	if (s)
		kube_client_free(s->client);
}

int api_prepare(struct run *r, struct err *err)
{
	struct timespec moment = {.tv_nsec = PREPARE_POLL_MS * 1000000L};
	json_auto_t *ns = json_object();
	json_t *meta = json_object();
	json_lib_set_cstr(meta, "name", API_NAMESPACE);
	json_lib_set(ns, "metadata", meta);
	for (int waited = 0; waited < PREPARE_MS_MAX; waited += PREPARE_POLL_MS) {
		struct kube_answer a = kube_client_call(r->cluster.admin_api[0], "POST", "/api/v1/namespaces", ns);
		if (a.base.outcome == CLIENT_OK || a.status == 409)
			return 0;
		*err = a.base.err;
		nanosleep(&moment, NULL);
	}
	return err_wrap(err, "make the namespace " API_NAMESPACE);
}

/* ---- objects ---- */

int64_t api_object_value(const json_t *object)
{
	int64_t v;
	struct slice text = json_lib_get_str(json_object_get(object, "data"), "v");
	return text.ptr && slice_to_i64(text, &v) ? v : -1;
}

const char *api_object_name(struct worker *w, const json_t *object)
{
	struct slice name = kube_meta(object, "name");
	if (name.len < sizeof API_PREFIX || memcmp(name.ptr, API_PREFIX, sizeof API_PREFIX - 1) != 0)
		return NULL;
	return arena_memdup(&w->arena, name.ptr, name.len);
}

/* With what it was read with, unless it is to be new. */
static json_t *make_object(struct worker *w, const struct history_record *r, int64_t mod_revision)
{
	json_t *object = json_object(), *meta = json_object(), *data = json_object();
	json_lib_set_cstr(meta, "name", r->key);
	if (r->expect != HISTORY_NIL)
		json_lib_set_cstr(meta, "resourceVersion", workload_number(&w->arena, mod_revision));
	json_lib_set_cstr(data, "v", workload_number(&w->arena, r->value));
	json_lib_set(object, "metadata", meta);
	json_lib_set(object, "data", data);
	return object;
}

static json_t *make_precondition(struct worker *w, int64_t mod_revision)
{
	json_t *options = json_object(), *only = json_object();
	json_lib_set_cstr(only, "resourceVersion", workload_number(&w->arena, mod_revision));
	json_lib_set_cstr(options, "kind", "DeleteOptions");
	json_lib_set_cstr(options, "apiVersion", "v1");
	json_lib_set(options, "preconditions", only);
	return options;
}

/* From r->expect, as it was at `mod_revision`, to r->value. */
static bool swap(struct worker *w, struct kube_client *c, struct history_record *r, int64_t mod_revision)
{
	bool creates = r->expect == HISTORY_NIL, deletes = r->value == HISTORY_NIL;
	json_auto_t *body = deletes ? make_precondition(w, mod_revision) : make_object(w, r, mod_revision);
	run_invoke(w, r);
	struct kube_answer a = kube_client_call(c,
	        creates   ? "POST"
	        : deletes ? "DELETE"
	                  : "PUT",
	        creates ? API_CONFIGMAPS : arena_printf(&w->arena, API_CONFIGMAPS "/%s", r->key), body);
	if (a.base.outcome == CLIENT_OK && !deletes)
		r->revision = kube_revision(a.body);
	run_complete(w, r, &a.base);
	return a.base.outcome == CLIENT_OK;
}

static bool read_object(struct worker *w, struct kube_client *c, struct history_record *r)
{
	run_invoke(w, r);
	struct kube_answer a = kube_client_call(c, "GET",
	        arena_printf(&w->arena, API_CONFIGMAPS "/%s%s", r->key,
	                w->run->options->serializable ? "?resourceVersion=0" : ""),
	        NULL);
	bool is_absent = a.status == 404 && !a.is_old;
	if (is_absent)
		a.base.outcome = CLIENT_OK;
	if (a.base.outcome == CLIENT_OK && !is_absent) {
		r->value = api_object_value(a.body);
		r->mod_revision = kube_revision(a.body);
	}
	run_complete(w, r, &a.base);
	return a.base.outcome == CLIENT_OK;
}

bool api_object_step(struct worker *w, unsigned object, bool only_read, uint16_t flags, int64_t *revision)
{
	struct kube_client *c = api_client(w, sizeof(struct api_state));
	struct history_record seen = HISTORY_RECORD_INIT, r = HISTORY_RECORD_INIT;
	seen.f = HISTORY_READ;
	seen.flags = flags;
	seen.key = r.key = arena_printf(&w->arena, API_PREFIX "%02u", object);
	if (!read_object(w, c, &seen))
		return false;
	if (only_read)
		return true;
	r.f = HISTORY_CAS;
	r.expect = seen.value;
	if (seen.value == HISTORY_NIL || !rng_chance(&w->rng, 20))
		r.value = run_unique(w->run);
	bool is_done = swap(w, c, &r, seen.mod_revision);
	*revision = r.revision == HISTORY_NIL ? -1 : r.revision;
	return is_done;
}

/* ---- lists ---- */

static void add_page(struct worker *w, const json_t *list, struct history_item *items, unsigned *count)
{
	const json_t *all = json_object_get(list, "items");
	for (size_t i = 0; i < json_array_size(all) && *count < LISTED_MAX; i++) {
		const json_t *object = json_array_get(all, i);
		const char *name = api_object_name(w, object);
		if (!name)
			continue;
		items[*count] = HISTORY_ITEM_INIT(HISTORY_READ, name, api_object_value(object));
		items[(*count)++].mod_revision = kube_revision(object);
	}
}

static struct kube_answer get_pages(
        struct worker *w, struct kube_client *c, struct history_record *r, struct history_item *items, unsigned *count)
{
	bool in_pages = rng_chance(&w->rng, 50);
	const char *from = "";
	for (;;) {
		struct kube_answer a = kube_client_call(c, "GET",
		        arena_printf(&w->arena, API_CONFIGMAPS "?limit=%d%s%s", in_pages ? PAGE : 0,
		                *from ? "&continue=" : "", from),
		        NULL);
		if (a.base.outcome != CLIENT_OK)
			return a;
		add_page(w, a.body, items, count);
		struct slice next = kube_meta(a.body, "continue");
		r->revision = kube_revision(a.body);
		if (!next.len)
			return a;
		from = arena_memdup(&w->arena, next.ptr, next.len);
	}
}

bool api_objects_list(
        struct worker *w, struct kube_client *c, struct history_item **items, unsigned *count, int64_t *revision)
{
	struct history_record r = HISTORY_RECORD_INIT;
	*items = ARENA_ARRAY(&w->arena, struct history_item, LISTED_MAX);
	*count = 0;
	r.f = HISTORY_LIST;
	r.key = API_PREFIX;
	run_invoke(w, &r);
	struct kube_answer a = get_pages(w, c, &r, *items, count);
	r.items = *items;
	r.item_count = *count;
	*revision = r.revision;
	run_complete(w, &r, &a.base);
	return a.base.outcome == CLIENT_OK;
}
