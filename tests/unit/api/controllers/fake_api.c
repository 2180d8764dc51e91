/* See fake_api.h. Objects are texts in a list; every change is an entry of one log, and a watch is a place in it: it is
 * told of an entry when that is old enough. Answers wait in a list for the pump, which runs as often as something is
 * due; nothing is answered inside of the call that asks. */
#include "tests/unit/api/controllers/fake_api.h"

#include "tests/unit/unit.h"

#include "api/client/jitter.h"
#include "api/client/meta.h"
#include "api/machinery/patch/patch.h"
#include "api/machinery/rules/defaults.h"
#include "api/machinery/rules/prepare.h"
#include "base/json/scan.h"
#include "base/rt/closing.h"

enum { ANSWER_MS = 1, FAULTY_MS = 180 * 1000 };

struct stored {
	struct list_link link;
	const struct resource *resource;
	struct slice key; /* "ns/name" or "name" */
	struct rcbuf *json;
};

struct entry {
	const struct resource *resource;
	const char *type;
	struct rcbuf *json;
	int64_t revision;
	uint64_t at_ms;
};

struct watching {
	struct list_link link;
	struct client_watch *watch;
	const struct resource *resource; /* NULL: not served */
	struct list_link first;          /* initial objects as they were: struct told */
	size_t next;                     /* in the log */
	bool tells_all, is_told, is_ending, is_old;
};

struct told {
	struct list_link link;
	struct rcbuf *json;
};

struct asking {
	struct list_link link;
	struct client_request *request; /* NULL: it was given up */
	uint64_t due_ms;
	bool is_dead; /* its process died: no answer but that it was given up */
};

struct fake_api {
	struct client client;
	struct fake_plan plan;
	struct list_link objects, watches, askings;
	struct entry *log;
	size_t n_log, cap_log;
	int64_t revision;
	unsigned uids, names, writes, cuts;
	uint64_t cut_ms;
	bool is_down, is_crashing;
	uv_timer_t pump;
	void (*crashed)(void *arg);
	void *crashed_arg;
	const char *served; /* by somebody else: the beginning of its paths */
	const char *(*serve)(void *arg, struct arena *a);
	void *serve_arg;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* ---- paths ---- */

struct target {
	const struct resource *resource;
	struct slice ns, name, sub;
	bool is_watch, tells_all;
	int64_t revision;
};

static void read_query(struct slice query, struct target *t)
{
	while (query.len) {
		struct slice value = slice_cut(&query, '&'), name = slice_cut(&value, '=');
		t->is_watch |= slice_is(name, "watch");
		t->tells_all |= slice_is(name, "sendInitialEvents");
		if (slice_is(name, "resourceVersion"))
			slice_to_i64(value, &t->revision);
	}
}

/* "/api/v1/namespaces/d/pods/p/status?..." */
static bool target_read(const char *path, struct target *t)
{
	struct slice query = slice_of(path), rest = slice_cut(&query, '?'), group = SLICE(""), parts[5] = {{0}};
	*t = (struct target){0};
	read_query(query, t);
	slice_cut(&rest, '/');
	if (slice_is(slice_cut(&rest, '/'), "apis"))
		group = slice_cut(&rest, '/');
	struct slice version = slice_cut(&rest, '/');
	size_t n = 0, at = 0;
	while (rest.len && n < COUNT_OF(parts))
		parts[n++] = slice_cut(&rest, '/');
	bool is_within = n > 2 && slice_is(parts[0], "namespaces") && !slice_is(parts[2], "status") &&
	                 !slice_is(parts[2], "finalize");
	if (is_within) {
		t->ns = parts[1];
		at = 2;
	}
	const struct resource *r = n ? resource_find(group, version, parts[at]) : NULL;
	t->resource = r ? r->storage : NULL;
	t->name = parts[at + 1];
	t->sub = at + 2 < COUNT_OF(parts) ? parts[at + 2] : SLICE_NULL;
	return t->resource != NULL;
}

static struct slice key_of(struct arena *a, struct slice ns, struct slice name)
{
	return slice_of(ns.len ? arena_printf(a, "%.*s/%.*s", SLICE_FMT(ns), SLICE_FMT(name))
	                       : arena_printf(a, "%.*s", SLICE_FMT(name)));
}

static struct stored *find(struct fake_api *f, const struct resource *r, struct slice ns, struct slice name)
{
	struct arena a = ARENA_INIT;
	struct slice key = key_of(&a, ns, name);
	struct stored *found = NULL;
	LIST_FOREACH (it, &f->objects) {
		struct stored *o = CONTAINER_OF(it, struct stored, link);
		if (o->resource == r && slice_eq(o->key, key))
			found = o;
	}
	arena_release(&a);
	return found;
}

static struct slice text_of(const struct stored *o)
{
	return (struct slice){o->json->data, o->json->len};
}

/* ---- changes ---- */

static void pump_soon(struct fake_api *f);

static void log_add(struct fake_api *f, const struct resource *r, const char *type, struct rcbuf *json)
{
	if (f->n_log == f->cap_log) {
		f->cap_log = f->cap_log ? f->cap_log * 2 : 256;
		f->log = xrealloc(f->log, f->cap_log * sizeof *f->log);
	}
	f->log[f->n_log++] = (struct entry){r, type, rcbuf_ref(json), f->revision, virtual_time_ms()};
	pump_soon(f);
}

static struct rcbuf *version(struct arena *a, struct fake_api *f, struct json *object)
{
	struct strbuf out = STRBUF_INIT;
	json_set_str(a, json_need(a, object, "metadata", JSON_OBJECT), "resourceVersion",
	        slice_of(arena_printf(a, "%lld", (long long)++f->revision)));
	json_write(&out, object);
	struct rcbuf *json = rcbuf_copy(out.data, out.len);
	strbuf_release(&out);
	return json;
}

static void forget(struct arena *a, struct fake_api *f, struct stored *o, struct json *object)
{
	rcbuf_unref(o->json);
	o->json = version(a, f, object);
	log_add(f, o->resource, "DELETED", o->json);
	list_del(&o->link);
	rcbuf_unref(o->json);
	free(o);
}

static bool is_over(const struct json *object)
{
	struct json *meta = json_get(object, "metadata"), *list = json_get(meta, "finalizers"),
	            *spec = json_path(object, "spec", "finalizers", NULL);
	return json_get(meta, "deletionTimestamp") && !json_get_int(meta, "deletionGracePeriodSeconds", 0) &&
	       (!list || !list->first) && (!spec || !spec->first);
}

static struct rcbuf *replace(struct arena *a, struct fake_api *f, struct stored *o, struct json *object)
{
	struct json *old = json_parse(a, text_of(o), NULL, NULL);
	if (is_over(object)) {
		struct rcbuf *last = rcbuf_ref(o->json);
		forget(a, f, o, object);
		return last;
	}
	json_set_str(a, json_get(object, "metadata"), "resourceVersion",
	        json_get_str(json_get(old, "metadata"), "resourceVersion"));
	if (!json_equal(old, object)) {
		rcbuf_unref(o->json);
		o->json = version(a, f, object);
		log_add(f, o->resource, "MODIFIED", o->json);
	}
	return rcbuf_ref(o->json);
}

/* ---- writes ---- */

struct write {
	struct fake_api *f;
	struct arena *a;
	struct target t;
	struct slice body;
	const char *content_type;
	struct err *err;
};

static void complete(struct write *w, struct json *object)
{
	struct arena *a = w->a;
	const struct resource *r = w->t.resource;
	struct json *meta = json_need(a, object, "metadata", JSON_OBJECT);
	struct slice prefix = json_get_str(meta, "generateName");
	json_set_cstr(a, object, "apiVersion", r->api_version);
	json_set_cstr(a, object, "kind", r->kind);
	if (!json_get_str(meta, "name").len)
		json_set_cstr(a, meta, "name", arena_printf(a, "%.*sx%04u", SLICE_FMT(prefix), ++w->f->names));
	if (w->t.ns.len)
		json_set_str(a, meta, "namespace", w->t.ns);
	json_set_cstr(a, meta, "uid", arena_printf(a, "uid-%u", ++w->f->uids));
	json_set_cstr(a, meta, "creationTimestamp", kube_time_text(a, 0));
	prepare_create(a, r, object);
	defaults_apply(a, r, object);
}

static bool may_create(struct write *w)
{
	struct stored *ns = w->t.ns.len ? find(w->f, resource_find(SLICE(""), SLICE("v1"), SLICE("namespaces")),
	                                          SLICE_NULL, w->t.ns)
	                                : NULL;
	if (w->t.ns.len && !ns)
		err_set(w->err, ERR_NOT_FOUND, "namespaces \"%.*s\" not found", SLICE_FMT(w->t.ns));
	else if (ns && json_find(text_of(ns), "metadata", "deletionTimestamp", NULL).len)
		err_set(w->err, ERR_TERMINATING, "it is being terminated");
	return !w->err->code;
}

static struct rcbuf *create(struct write *w)
{
	struct arena *a = w->a;
	struct json *object = json_parse(a, w->body, NULL, w->err);
	if (!object || !may_create(w))
		return NULL;
	complete(w, object);
	struct slice name = json_get_str(json_get(object, "metadata"), "name");
	if (find(w->f, w->t.resource, w->t.ns, name)) {
		err_set(w->err, ERR_EXISTS, "%.*s already exists", SLICE_FMT(name));
		return NULL;
	}
	struct slice key = key_of(a, w->t.ns, name);
	struct stored *o = MAP_ENTRY_NEW(struct stored, key, key);
	o->resource = w->t.resource;
	o->json = version(a, w->f, object);
	list_push_back(&w->f->objects, &o->link);
	log_add(w->f, o->resource, "ADDED", o->json);
	return rcbuf_ref(o->json);
}

/* What the client says that it saw. */
static bool is_as_seen(struct write *w, const struct json *meta, const struct json *now)
{
	static const char *const members[] = {"uid", "resourceVersion"};
	for (size_t i = 0; i < COUNT_OF(members); i++) {
		struct slice seen = json_get_str(meta, members[i]);
		if (seen.len && !slice_eq(seen, json_get_str(now, members[i]))) {
			err_set(w->err, ERR_CONFLICT, "the object has been modified");
			return false;
		}
	}
	return true;
}

static struct json *patched(struct write *w, const struct json *old, struct json *patch)
{
	struct json *object = json_copy(w->a, old);
	const char *type = w->content_type ? w->content_type : "";
	if (strstr(type, "strategic"))
		patch_strategic_apply(w->a, object, patch, w->t.resource->type, w->err);
	else if (strstr(type, "json-patch"))
		patch_json_apply(w->a, &object, patch, w->err);
	else if (strstr(type, "merge-patch"))
		object = patch_merge_apply(w->a, object, patch);
	else
		err_set(w->err, ERR_MEDIA_TYPE, "%s", type);
	return object;
}

/* ---- scales ---- */

static struct rcbuf *rescale(struct write *w, struct stored *o)
{
	struct arena *a = w->a;
	struct json *body = json_parse(a, w->body, NULL, w->err), *old = json_parse(a, text_of(o), NULL, NULL);
	if (!body || !is_as_seen(w, json_get(body, "metadata"), json_get(old, "metadata")))
		return NULL;
	struct json *object = json_copy(a, old);
	json_set_int(a, json_get(object, "spec"), "replicas", json_get_int(json_get(body, "spec"), "replicas", 0));
	prepare_update(a, w->t.resource, "", object, old);
	rcbuf_unref(replace(a, w->f, o, object));
	return fake_scale_of(a, text_of(o));
}

/* ---- updates ---- */

static struct rcbuf *update(struct write *w, bool is_patch)
{
	struct arena *a = w->a;
	struct stored *o = find(w->f, w->t.resource, w->t.ns, w->t.name);
	struct json *body = json_parse(a, w->body, NULL, w->err);
	if (!o)
		err_set(w->err, ERR_NOT_FOUND, "%.*s not found", SLICE_FMT(w->t.name));
	if (!o || !body)
		return NULL;
	struct json *old = json_parse(a, text_of(o), NULL, NULL);
	if (!is_as_seen(w, json_get(body, "metadata"), json_get(old, "metadata")))
		return NULL;
	struct json *object = is_patch ? patched(w, old, body) : body;
	if (w->err->code)
		return NULL;
	json_set_cstr(a, object, "apiVersion", w->t.resource->api_version);
	json_set_cstr(a, object, "kind", w->t.resource->kind);
	if (slice_is(w->t.sub, "finalize")) {
		struct json *spec = json_copy(a, json_get(object, "spec"));
		object = json_copy(a, old);
		json_set(a, object, "spec", spec);
	} else {
		prepare_update(a, w->t.resource, arena_memdup(a, w->t.sub.ptr, w->t.sub.len), object, old);
	}
	return replace(a, w->f, o, object);
}

/* What must be done before it is gone. */
static void mark(struct write *w, const struct stored *o, struct json *object, const struct json *options)
{
	struct arena *a = w->a;
	struct json *meta = json_get(object, "metadata");
	struct slice policy = json_get_str(options, "propagationPolicy");
	const char *finalizer = slice_is(policy, "Foreground") ? "foregroundDeletion"
	                        : slice_is(policy, "Orphan")   ? "orphan"
	                                                       : NULL;
	bool is_pod = strcmp(o->resource->kind, "Pod") == 0,
	     is_forced = json_get_int(options, "gracePeriodSeconds", 30) == 0,
	     waits = is_pod && !is_forced && json_get_str(json_get(object, "spec"), "nodeName").len;
	if (!json_get(meta, "deletionTimestamp")) {
		json_set_cstr(a, meta, "deletionTimestamp", kube_time_text(a, 0));
		if (finalizer)
			json_append(json_need(a, meta, "finalizers", JSON_ARRAY), json_new_cstr(a, finalizer));
		if (o->resource->has_generation)
			json_set_int(a, meta, "generation", json_get_int(meta, "generation", 0) + 1);
	}
	if (is_pod && (is_forced || !json_get(meta, "deletionGracePeriodSeconds")))
		json_set_int(a, meta, "deletionGracePeriodSeconds", waits ? 30 : 0);
	if (strcmp(o->resource->kind, "Namespace") == 0)
		json_set_cstr(a, json_need(a, object, "status", JSON_OBJECT), "phase", "Terminating");
}

static struct rcbuf *delete_one(struct write *w, struct stored *o)
{
	struct arena *a = w->a;
	struct json *options = w->body.len ? json_parse(a, w->body, NULL, NULL) : NULL,
	            *object = json_parse(a, text_of(o), NULL, NULL);
	if (!is_as_seen(w, json_get(options, "preconditions"), json_get(object, "metadata")))
		return NULL;
	mark(w, o, object, options);
	return replace(a, w->f, o, object);
}

static struct rcbuf *delete_all(struct write *w)
{
	LIST_FOREACH (it, &w->f->objects) {
		struct stored *o = CONTAINER_OF(it, struct stored, link);
		if (o->resource == w->t.resource &&
		        slice_eq(json_find(text_of(o), "metadata", "namespace", NULL), w->t.ns))
			rcbuf_unref(delete_one(w, o));
	}
	return rcbuf_copy("{}", 2);
}

static struct rcbuf *list(struct write *w)
{
	struct strbuf out = STRBUF_INIT;
	bool any = false;
	strbuf_adds(&out, "{\"items\":[");
	LIST_FOREACH (it, &w->f->objects) {
		struct stored *o = CONTAINER_OF(it, struct stored, link);
		if (o->resource != w->t.resource ||
		        (w->t.ns.len && !slice_eq(json_find(text_of(o), "metadata", "namespace", NULL), w->t.ns)))
			continue;
		strbuf_adds(&out, any ? "," : "");
		strbuf_add_slice(&out, text_of(o));
		any = true;
	}
	strbuf_adds(&out, "]}");
	struct rcbuf *json = rcbuf_copy(out.data, out.len);
	strbuf_release(&out);
	return json;
}

static struct rcbuf *perform(struct fake_api *f, const char *method, const char *path, const char *content_type,
        struct slice body, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct write w = {.f = f, .a = &a, .body = body, .content_type = content_type, .err = err};
	struct rcbuf *answer = NULL;
	if (f->served && strncmp(path, f->served, strlen(f->served)) == 0) {
		const char *text = f->serve(f->serve_arg, &a);
		answer = rcbuf_copy(text, strlen(text));
		arena_release(&a);
		return answer;
	}
	if (!target_read(path, &w.t)) {
		err_set(err, ERR_NOT_FOUND, "the server could not find the requested resource");
		return NULL;
	}
	struct stored *o = w.t.name.len ? find(f, w.t.resource, w.t.ns, w.t.name) : NULL;
	bool is_get = strcmp(method, "GET") == 0, is_delete = strcmp(method, "DELETE") == 0;
	if ((is_get || is_delete) && w.t.name.len && !o)
		err_set(err, ERR_NOT_FOUND, "%.*s not found", SLICE_FMT(w.t.name));
	else if (o && slice_is(w.t.sub, "scale"))
		answer = is_get ? fake_scale_of(&a, text_of(o)) : rescale(&w, o);
	else if (is_get)
		answer = o ? rcbuf_ref(o->json) : list(&w);
	else if (is_delete)
		answer = o ? delete_one(&w, o) : delete_all(&w);
	else if (strcmp(method, "POST") == 0)
		answer = create(&w);
	else
		answer = update(&w, strcmp(method, "PATCH") == 0);
	arena_release(&a);
	return answer;
}

int fake_api_do(struct fake_api *f, const char *method, const char *path, const char *body)
{
	struct err err = ERR_INIT;
	const char *type = "application/merge-patch+json";
	rcbuf_unref(perform(f, method, path, type, body ? slice_of(body) : SLICE_NULL, &err));
	return err.code;
}

/* ---- requests ---- */

static bool counts(const struct client_request *r)
{
	return strcmp(r->method, "GET") != 0 && !strstr(r->path, "/events");
}

static enum fake_fault fault_of(struct fake_api *f, const struct client_request *r)
{
	const struct fake_plan *p = &f->plan;
	unsigned last = p->at_write + (p->faulty ? p->faulty : 1);
	if (!counts(r))
		return FAKE_NOTHING;
	f->writes++;
	if (p->percent && virtual_time_ms() < FAULTY_MS && jitter_below(100) < p->percent)
		return FAKE_CONFLICT + (enum fake_fault)jitter_below(FAKE_FAULTS - FAKE_CONFLICT);
	return f->writes >= p->at_write && f->writes < last ? p->fault : FAKE_NOTHING;
}

static void crash(struct fake_api *f)
{
	f->is_down = f->is_crashing = true;
	LIST_FOREACH (it, &f->askings)
		CONTAINER_OF(it, struct asking, link)->is_dead = true;
}

static void answer_request(struct fake_api *f, struct client_request *r)
{
	enum fake_fault fault = fault_of(f, r);
	if (fault == FAKE_CONFLICT || fault == FAKE_BUSY) {
		err_set(&r->err, fault == FAKE_BUSY ? ERR_BUSY : ERR_CONFLICT, "made up");
		return;
	}
	if (fault == FAKE_CRASH_BEFORE) {
		crash(f);
		return;
	}
	r->response = perform(f, r->method, r->path, r->content_type, r->body, &r->err);
	r->http_status = r->err.code ? 500 : 200;
	if (fault == FAKE_LOST || fault == FAKE_CRASH_AFTER) {
		client_request_release(r);
		r->http_status = 0;
		r->err = ERR_INIT;
		err_set(&r->err, ERR_CLOSED, "the connection was closed");
	}
	if (fault == FAKE_CRASH_AFTER)
		crash(f);
}

static void fake_send(struct client *c, struct client_request *r)
{
	struct fake_api *f = CONTAINER_OF(c, struct fake_api, client);
	struct asking *x = xcalloc(1, sizeof *x);
	x->request = r;
	x->due_ms = virtual_time_ms() + ANSWER_MS;
	r->transport_data = x;
	list_push_back(&f->askings, &x->link);
	if (!f->is_down)
		answer_request(f, r);
	x->is_dead = f->is_down;
	pump_soon(f);
}

static void fake_cancel(struct client *c, struct client_request *r)
{
	struct asking *x = r->transport_data;
	client_request_release(r);
	r->err = ERR_INIT;
	err_set(&r->err, ERR_CANCELED, "given up");
	x->is_dead = false;
	pump_soon(CONTAINER_OF(c, struct fake_api, client));
}

/* ---- watches ---- */

static void remember(struct fake_api *f, struct watching *w)
{
	LIST_FOREACH (it, &f->objects) {
		struct stored *o = CONTAINER_OF(it, struct stored, link);
		if (o->resource != w->resource)
			continue;
		struct told *t = xcalloc(1, sizeof *t);
		t->json = rcbuf_ref(o->json);
		list_push_back(&w->first, &t->link);
	}
}

static void fake_watch_open(struct client *c, struct client_watch *watch)
{
	struct fake_api *f = CONTAINER_OF(c, struct fake_api, client);
	struct watching *w = xcalloc(1, sizeof *w);
	struct target t;
	w->watch = watch;
	w->is_ending = !target_read(watch->path, &t);
	w->resource = t.resource;
	w->tells_all = t.tells_all;
	list_init(&w->first);
	if (t.tells_all) {
		remember(f, w);
		w->next = f->n_log;
	} else {
		while (w->next < f->n_log && f->log[w->next].revision <= t.revision)
			w->next++;
	}
	watch->transport_data = w;
	list_push_back(&f->watches, &w->link);
	pump_soon(f);
}

static void fake_watch_close(struct client *c, struct client_watch *watch)
{
	struct watching *w = watch->transport_data;
	w->is_ending = true;
	pump_soon(CONTAINER_OF(c, struct fake_api, client));
}

static void end(struct watching *w)
{
	struct err err = ERR_INIT;
	list_del(&w->link);
	LIST_FOREACH (it, &w->first) {
		struct told *t = CONTAINER_OF(it, struct told, link);
		rcbuf_unref(t->json);
		free(t);
	}
	if (!w->resource)
		err_set(&err, ERR_NOT_FOUND, "not served");
	if (w->is_old)
		err_set(&err, ERR_COMPACTED, "too old resource version");
	w->watch->on_end(w->watch, &err);
	free(w);
}

static void tell(struct watching *w, const char *type, struct rcbuf *json)
{
	w->watch->on_event(w->watch, type, (struct slice){json->data, json->len}, json);
}

static void tell_first(struct fake_api *f, struct watching *w)
{
	char text[200];
	for (struct list_link *it; (it = list_pop_front(&w->first));) {
		struct told *t = CONTAINER_OF(it, struct told, link);
		if (!w->is_ending)
			tell(w, "ADDED", t->json);
		rcbuf_unref(t->json);
		free(t);
	}
	int n = snprintf(text, sizeof text,
	        "{\"metadata\":{\"resourceVersion\":\"%lld\",\"annotations\":{\"k8s.io/"
	        "initial-events-end\":\"true\"}}}",
	        (long long)(w->next ? f->log[w->next - 1].revision : 1));
	if (!w->is_ending)
		w->watch->on_event(w->watch, "BOOKMARK", (struct slice){text, (size_t)n}, NULL);
	w->is_told = true;
}

static void watch_pump(struct fake_api *f, struct watching *w, uint64_t now_ms)
{
	if (w->tells_all && !w->is_told && !w->is_ending)
		tell_first(f, w);
	while (!w->is_ending && w->next < f->n_log && f->log[w->next].at_ms + f->plan.lag_ms <= now_ms) {
		struct entry *e = &f->log[w->next++];
		if (e->resource == w->resource)
			tell(w, e->type, e->json);
	}
	if (w->is_ending)
		end(w);
}

static void cut(struct fake_api *f, uint64_t now_ms)
{
	if (!f->plan.cut_every_ms || now_ms < f->cut_ms + f->plan.cut_every_ms)
		return;
	f->cut_ms = now_ms;
	f->cuts++;
	LIST_FOREACH (it, &f->watches) {
		struct watching *w = CONTAINER_OF(it, struct watching, link);
		w->is_ending = true;
		w->is_old = f->cuts % 2 == 0;
	}
}

/* ---- the pump ---- */

static void answer_due(struct fake_api *f, uint64_t now_ms)
{
	struct list_link due;
	list_init(&due);
	LIST_FOREACH (it, &f->askings) {
		struct asking *x = CONTAINER_OF(it, struct asking, link);
		if (x->due_ms > now_ms || x->is_dead)
			continue;
		list_del(&x->link);
		list_push_back(&due, &x->link);
	}
	for (struct list_link *it; (it = list_pop_front(&due));) {
		struct asking *x = CONTAINER_OF(it, struct asking, link);
		struct client_request *r = x->request;
		free(x);
		r->done(r);
	}
}

static bool has_work(const struct fake_api *f)
{
	for (struct list_link *it = f->askings.next; it != &f->askings; it = it->next)
		if (!CONTAINER_OF(it, struct asking, link)->is_dead)
			return true;
	for (struct list_link *it = f->watches.next; it != &f->watches; it = it->next) {
		struct watching *w = CONTAINER_OF(it, struct watching, link);
		if (w->is_ending || (w->tells_all && !w->is_told) || w->next < f->n_log)
			return true;
	}
	return false;
}

static void pump(uv_timer_t *t)
{
	struct fake_api *f = t->data;
	uint64_t now_ms = virtual_time_ms();
	if (f->is_crashing) {
		f->is_crashing = false;
		f->crashed(f->crashed_arg);
	}
	cut(f, now_ms);
	answer_due(f, now_ms);
	LIST_FOREACH (it, &f->watches)
		watch_pump(f, CONTAINER_OF(it, struct watching, link), now_ms);
	if (has_work(f))
		pump_soon(f);
	else if (f->plan.cut_every_ms && !uv_is_active((uv_handle_t *)t))
		uv_timer_start(t, pump, f->plan.cut_every_ms, 0);
}

static void pump_soon(struct fake_api *f)
{
	if (!uv_is_closing((uv_handle_t *)&f->pump))
		uv_timer_start(&f->pump, pump, 1, 0);
}

/* ---- life ---- */

static const struct client_vtable vtable = {
        .send = fake_send, .cancel = fake_cancel, .watch_open = fake_watch_open, .watch_close = fake_watch_close};

struct fake_api *fake_api_new(struct loop *loop, const struct fake_plan *plan, void (*crashed)(void *arg), void *arg)
{
	struct fake_api *f = xcalloc(1, sizeof *f);
	f->client = (struct client){&vtable, loop};
	f->plan = *plan;
	f->crashed = crashed;
	f->crashed_arg = arg;
	f->revision = 1;
	list_init(&f->objects);
	list_init(&f->watches);
	list_init(&f->askings);
	CHECK(uv_timer_init(loop_uv(loop), &f->pump) == 0);
	f->pump.data = f;
	return f;
}

static void pump_closed(uv_handle_t *h)
{
	struct fake_api *f = h->data;
	f->closed(f->closed_arg);
}

void fake_api_close(struct fake_api *f, void (*closed)(void *arg), void *arg)
{
	CHECK(list_empty(&f->askings) && list_empty(&f->watches));
	f->closed = closed;
	f->closed_arg = arg;
	uv_close((uv_handle_t *)&f->pump, pump_closed);
}

void fake_api_free(struct fake_api *f)
{
	LIST_FOREACH (it, &f->objects) {
		struct stored *o = CONTAINER_OF(it, struct stored, link);
		rcbuf_unref(o->json);
		free(o);
	}
	for (size_t i = 0; i < f->n_log; i++)
		rcbuf_unref(f->log[i].json);
	free(f->log);
	free(f);
}

void fake_api_serve(struct fake_api *f, const char *prefix, const char *(*fn)(void *arg, struct arena *a), void *arg)
{
	f->served = prefix;
	f->serve = fn;
	f->serve_arg = arg;
}

struct client *fake_api_client(struct fake_api *f)
{
	return &f->client;
}

void fake_api_revive(struct fake_api *f)
{
	f->is_down = false;
}

unsigned fake_api_writes(const struct fake_api *f)
{
	return f->writes;
}

int64_t fake_api_revision(const struct fake_api *f)
{
	return f->revision;
}

void fake_api_each(struct fake_api *f, const char *path, void (*fn)(struct fake_api *f, struct json *object))
{
	struct target t;
	CHECK(target_read(path, &t));
	LIST_FOREACH (it, &f->objects) {
		struct stored *o = CONTAINER_OF(it, struct stored, link);
		struct arena a = ARENA_INIT;
		if (o->resource == t.resource)
			fn(f, json_parse(&a, text_of(o), NULL, NULL));
		arena_release(&a);
	}
}

void fake_api_texts(struct fake_api *f, void (*fn)(void *arg, const struct resource *r, struct slice text), void *arg)
{
	LIST_FOREACH (it, &f->objects) {
		struct stored *o = CONTAINER_OF(it, struct stored, link);
		fn(arg, o->resource, text_of(o));
	}
}
