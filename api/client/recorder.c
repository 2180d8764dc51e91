/* See recorder.h. Two tables, both bounded and forgotten oldest first: series (one per event that is the same, message
 * and all) and sources (one per object, type and reason: the budget and the window in which messages are combined).
 * Keys are 128-bit hashes of what they stand for, so that an entry is small.
 *
 * A series has at most one request under way; what happens meanwhile only counts, and is sent when the answer is there.
 */
#include "api/client/recorder.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/json/scan.h"
#include "base/mem/map.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
	SERIES_MAX = 2048,
	SOURCES_MAX = 2048,
	IN_FLIGHT_MAX = 1000,
	COMBINE_AFTER = 10,
	COMBINE_WINDOW_S = 600,
	BURST = 25,
	REFILL_S = 300,
	MESSAGE_BYTES_MAX = 1024,
};

struct hash_key {
	uint64_t a, b;
};

struct source {
	struct hash_key key;
	struct list_link link; /* oldest use first */
	int64_t window_start_s, refilled_s;
	unsigned messages; /* different ones in the window */
	unsigned tokens;
};

struct series {
	struct hash_key key;
	struct list_link link;
	char *path; /* of the stored Event; NULL: not stored yet */
	int64_t count;
	bool busy, dirty;
};

struct sending {
	struct client_request request;
	struct list_link link;
	struct recorder *recorder;
	struct series *series;
	struct arena arena;
};

struct recorder {
	struct client *client;
	char *component, *host; /* host NULL: none */
	struct map sources, series;
	struct list_link source_age, series_age, sends;
	unsigned in_flight;
	bool closing;
	struct loop_task close_task;
	bool close_posted;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* ---- keys ---- */

/* With a byte behind it that no text has, so that two texts are not one. */
static void hash_add(struct hash_key *k, struct slice s)
{
	k->a = fnv1a64_add(k->a, s.ptr, s.len);
	k->a = fnv1a64_add(k->a, "\xff", 1);
	for (size_t i = 0; i <= s.len; i++) {
		k->b = (k->b + (i < s.len ? (unsigned char)s.ptr[i] : 0xff)) * 0x9e3779b97f4a7c15ull;
		k->b ^= k->b >> 29;
	}
}

static struct slice key_slice(const struct hash_key *k)
{
	return (struct slice){(const char *)k, sizeof *k};
}

static struct hash_key source_key(const struct recorder_subject *o, const char *type, const char *reason)
{
	struct hash_key k = {FNV1A64_INIT, 0x1234567};
	hash_add(&k, slice_of(o->kind));
	hash_add(&k, o->ns);
	hash_add(&k, o->name);
	hash_add(&k, o->uid);
	hash_add(&k, o->field_path);
	hash_add(&k, slice_of(type));
	hash_add(&k, slice_of(reason));
	return k;
}

/* ---- tables ---- */

static void series_free(struct recorder *r, struct series *s)
{
	map_del(&r->series, key_slice(&s->key));
	list_del(&s->link);
	free(s->path);
	free(s);
}

static struct source *source_need(struct recorder *r, const struct hash_key *key, int64_t now_s)
{
	struct source *s = map_get(&r->sources, key_slice(key));
	if (s) {
		list_del(&s->link);
		list_push_back(&r->source_age, &s->link);
		return s;
	}
	if (r->sources.count >= SOURCES_MAX) {
		struct source *old = CONTAINER_OF(list_pop_front(&r->source_age), struct source, link);
		map_del(&r->sources, key_slice(&old->key));
		free(old);
	}
	s = xcalloc(1, sizeof *s);
	*s = (struct source){.key = *key, .window_start_s = now_s, .refilled_s = now_s, .tokens = BURST};
	list_push_back(&r->source_age, &s->link);
	map_put(&r->sources, key_slice(&s->key), s);
	return s;
}

static struct series *series_need(struct recorder *r, const struct hash_key *key)
{
	struct series *s = map_get(&r->series, key_slice(key));
	if (s) {
		list_del(&s->link);
		list_push_back(&r->series_age, &s->link);
		return s;
	}
	LIST_FOREACH (it, &r->series_age) {
		struct series *old = CONTAINER_OF(it, struct series, link);
		if (r->series.count < SERIES_MAX)
			break;
		if (!old->busy)
			series_free(r, old);
	}
	s = xcalloc(1, sizeof *s);
	s->key = *key;
	list_push_back(&r->series_age, &s->link);
	map_put(&r->series, key_slice(&s->key), s);
	return s;
}

static bool source_spend(struct source *s, int64_t now_s)
{
	int64_t earned = (now_s - s->refilled_s) / REFILL_S;
	if (earned > 0) {
		s->tokens = s->tokens + earned > BURST ? BURST : s->tokens + (unsigned)earned;
		s->refilled_s += earned * REFILL_S;
	}
	if (!s->tokens)
		return false;
	s->tokens--;
	return true;
}

/* ---- sending ---- */

static void maybe_closed(struct recorder *r)
{
	if (!r->closing || r->close_posted || r->in_flight)
		return;
	MAP_FOREACH (slot, &r->sources)
		free(slot->value);
	MAP_FOREACH (slot, &r->series) {
		struct series *s = slot->value;
		free(s->path);
		free(s);
	}
	map_release(&r->sources);
	map_release(&r->series);
	void (*closed)(void *) = r->closed;
	void *arg = r->closed_arg;
	free(r->component);
	free(r->host);
	free(r);
	if (closed)
		closed(arg);
}

static void send_update(struct recorder *r, struct series *s);

static void sent(struct client_request *req)
{
	struct sending *x = CONTAINER_OF(req, struct sending, request);
	struct recorder *r = x->recorder;
	struct series *s = x->series;
	s->busy = false;
	r->in_flight--;
	if (!req->err.code && !s->path) {
		struct slice name =
		        json_find((struct slice){req->response->data, req->response->len}, "metadata", "name", NULL);
		s->path = xprintf("%s/%.*s", req->path, SLICE_FMT(name));
	} else if (req->err.code) {
		free(TAKE(s->path)); /* expired, or never stored: the next one is a new event */
		s->count = 0;
		s->dirty = false;
	}
	client_request_release(req);
	list_del(&x->link);
	arena_release(&x->arena);
	free(x);
	if (r->closing)
		maybe_closed(r);
	else if (s->dirty)
		send_update(r, s);
}

static void send_request(struct recorder *r, struct series *s, struct sending *x, const char *method, const char *path,
        struct json *body)
{
	struct strbuf text = STRBUF_INIT;
	json_write(&text, body);
	x->recorder = r;
	x->series = s;
	x->request = (struct client_request){.method = method,
	        .path = path,
	        .done = sent,
	        .content_type = strcmp(method, "PATCH") == 0 ? "application/merge-patch+json" : NULL,
	        .body = {arena_memdup(&x->arena, text.data, text.len), text.len}};
	strbuf_release(&text);
	s->busy = true;
	s->dirty = false;
	r->in_flight++;
	list_push_back(&r->sends, &x->link);
	client_send(r->client, &x->request);
}

static void send_update(struct recorder *r, struct series *s)
{
	struct sending *x = xcalloc(1, sizeof *x);
	struct arena *a = &x->arena;
	struct json *body = json_new(a, JSON_OBJECT);
	json_set_int(a, body, "count", s->count);
	json_set_cstr(a, body, "lastTimestamp", kube_time_text(a, 0));
	send_request(r, s, x, "PATCH", arena_strdup(a, s->path), body);
}

static struct json *subject_json(struct arena *a, const struct recorder_subject *o)
{
	struct json *v = json_new(a, JSON_OBJECT);
	json_set_cstr(a, v, "kind", o->kind);
	if (o->ns.len)
		json_set_str(a, v, "namespace", o->ns);
	json_set_str(a, v, "name", o->name);
	if (o->uid.len)
		json_set_str(a, v, "uid", o->uid);
	json_set_cstr(a, v, "apiVersion", o->api_version);
	if (o->resource_version.len)
		json_set_str(a, v, "resourceVersion", o->resource_version);
	if (o->field_path.len)
		json_set_str(a, v, "fieldPath", o->field_path);
	return v;
}

static void send_new(struct recorder *r, struct series *s, const struct recorder_subject *o, const char *type,
        const char *reason, const char *message)
{
	struct sending *x = xcalloc(1, sizeof *x);
	struct arena *a = &x->arena;
	struct slice ns = o->ns.len ? o->ns : SLICE("default");
	struct json *e = json_new(a, JSON_OBJECT), *meta = json_need(a, e, "metadata", JSON_OBJECT);
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	const char *time_text = kube_time_text(a, 0);
	json_set_cstr(a, meta, "name",
	        arena_printf(a, "%.*s.%llx", SLICE_FMT(o->name),
	                (unsigned long long)now.tv_sec * 1000000000ull + (unsigned long long)now.tv_nsec));
	json_set_str(a, meta, "namespace", ns);
	json_set(a, e, "involvedObject", subject_json(a, o));
	json_set_cstr(a, e, "reason", reason);
	json_set_cstr(a, e, "message", message);
	struct json *source = json_need(a, e, "source", JSON_OBJECT);
	json_set_cstr(a, source, "component", r->component);
	json_set_cstr(a, e, "firstTimestamp", time_text);
	json_set_cstr(a, e, "lastTimestamp", time_text);
	json_set_int(a, e, "count", 1);
	json_set_cstr(a, e, "type", type);
	json_set_cstr(a, e, "reportingComponent", r->component);
	if (r->host) {
		json_set_cstr(a, source, "host", r->host);
		json_set_cstr(a, e, "reportingInstance", r->host);
	}
	s->count = 1;
	send_request(r, s, x, "POST", kube_path(a, "v1", "events", ns, SLICE_NULL, NULL), e);
}

void recorder_event(struct recorder *r, const struct recorder_subject *o, const char *type, const char *reason,
        const char *fmt, ...)
{
	char message[MESSAGE_BYTES_MAX + 64];
	int64_t now_s = kube_time_now_s();
	struct hash_key key = source_key(o, type, reason);
	va_list ap;
	if (r->closing)
		return;
	struct source *source = source_need(r, &key, now_s);
	if (now_s - source->window_start_s > COMBINE_WINDOW_S) {
		source->window_start_s = now_s;
		source->messages = 0;
	}
	bool combined = source->messages >= COMBINE_AFTER;
	int at = combined ? snprintf(message, sizeof message, "(combined from similar events): ") : 0;
	va_start(ap, fmt);
	vsnprintf(message + at, MESSAGE_BYTES_MAX, fmt, ap);
	va_end(ap);
	if (!combined)
		hash_add(&key, slice_of(message));
	struct series *s = map_get(&r->series, key_slice(&key));
	if (!source_spend(source, now_s) || (!s && r->in_flight >= IN_FLIGHT_MAX))
		return;
	if (!s)
		source->messages++;
	s = series_need(r, &key);
	if (s->busy || s->path) {
		s->count++;
		s->dirty = true;
		if (!s->busy)
			send_update(r, s);
		return;
	}
	send_new(r, s, o, type, reason, message);
}

/* ---- life ---- */

struct recorder *recorder_new(struct client *client, const char *component, const char *host)
{
	struct recorder *r = xcalloc(1, sizeof *r);
	r->client = client;
	r->component = xstrdup(component);
	r->host = host ? xstrdup(host) : NULL;
	list_init(&r->source_age);
	list_init(&r->series_age);
	list_init(&r->sends);
	return r;
}

static void close_task_run(struct loop_task *t)
{
	struct recorder *r = CONTAINER_OF(t, struct recorder, close_task);
	r->close_posted = false;
	maybe_closed(r);
}

void recorder_close(struct recorder *r, void (*closed)(void *arg), void *arg)
{
	r->closing = true;
	r->closed = closed;
	r->closed_arg = arg;
	r->close_posted = true;
	r->close_task.run = close_task_run;
	LIST_FOREACH (it, &r->sends)
		client_cancel(r->client, &CONTAINER_OF(it, struct sending, link)->request);
	loop_post(r->client->loop, &r->close_task);
}
