/* See informer.h.
 *
 *     waiting --timer--> opening/streaming (initial) --bookmark--> streaming (live) --end--> waiting
 *
 * `revision` 0 asks for the whole state; otherwise the watch goes on behind it. During a whole stream every object seen
 * gets the stream's epoch; at its end those with an older epoch are gone. */
#include "api/client/informer.h"

#include "api/client/jitter.h"
#include "base/check.h"
#include "base/json/scan.h"
#include "base/log.h"
#include "base/wire/http.h"

#include <stdio.h>
#include <stddef.h>
#include <stdlib.h>

enum { BACKOFF_MIN_MS = 50, BACKOFF_MAX_MS = 10000, WATCH_S = 3600 };

struct informer {
	struct informer_options options;
	struct arena arena;
	struct map objects;
	struct client_watch watch;
	bool watching;
	struct strbuf path;
	int64_t revision;
	unsigned epoch;
	bool streaming_all; /* until the bookmark that ends the initial events */
	bool synced;
	bool closing;
	uint64_t backoff_ms;
	uv_timer_t timer;
	bool timer_closed;
	void (*closed)(void *arg);
	void *closed_arg;
};

static void open_watch(struct informer *inf);

/* ---- objects ---- */

static void object_free(struct informer_object *o)
{
	rcbuf_unref(o->json);
	free(o);
}

static void drop(struct informer *inf, struct informer_object *o)
{
	map_del(&inf->objects, o->key);
	if (inf->options.deleted && !inf->closing)
		inf->options.deleted(inf->options.arg, o);
	object_free(o);
}

/* "namespace/name" from the object's metadata into the buffer. */
static bool read_identity(struct slice object, struct strbuf *key, int64_t *revision)
{
	struct slice meta = json_find(object, "metadata", NULL), name = json_find(meta, "name", NULL);
	struct slice ns = json_find(meta, "namespace", NULL);
	if (!slice_to_i64(json_find(meta, "resourceVersion", NULL), revision))
		return false;
	strbuf_reset(key);
	if (ns.len)
		strbuf_addf(key, "%.*s/", SLICE_FMT(ns));
	strbuf_add_slice(key, name);
	return true;
}

static struct rcbuf *keep(const struct informer *inf, struct slice object, struct rcbuf *shared)
{
	if (inf->options.digest)
		return inf->options.digest(object);
	return shared ? rcbuf_ref(shared) : rcbuf_copy(object.ptr, object.len);
}

static void upsert(struct informer *inf, struct slice key, int64_t revision, struct slice text, struct rcbuf *shared)
{
	struct informer_object *o = map_get(&inf->objects, key);
	if (!o) {
		o = MAP_ENTRY_NEW(struct informer_object, key, key);
		o->json = keep(inf, text, shared);
		o->revision = revision;
		o->epoch = inf->epoch;
		map_put(&inf->objects, o->key, o);
		if (inf->options.added)
			inf->options.added(inf->options.arg, o);
		return;
	}
	o->epoch = inf->epoch;
	if (o->revision == revision)
		return;
	struct rcbuf *before = o->json;
	o->json = keep(inf, text, shared);
	o->revision = revision;
	if (inf->options.updated)
		inf->options.updated(inf->options.arg, o, before);
	rcbuf_unref(before);
}

static void remove_key(struct informer *inf, struct slice key, struct slice text, struct rcbuf *shared)
{
	struct informer_object *o = map_get(&inf->objects, key);
	if (!o)
		return;
	rcbuf_unref(o->json);
	o->json = keep(inf, text, shared);
	drop(inf, o);
}

static void drop_unseen(struct informer *inf)
{
	struct informer_object **gone = xcalloc(inf->objects.count + 1, sizeof(struct informer_object *));
	size_t n = 0;
	MAP_FOREACH (slot, &inf->objects) {
		struct informer_object *o = slot->value;
		if (o->epoch != inf->epoch)
			gone[n++] = o;
	}
	for (size_t i = 0; i < n; i++)
		drop(inf, gone[i]);
	free(gone);
}

/* ---- events ---- */

static void initial_done(struct informer *inf)
{
	inf->streaming_all = false;
	drop_unseen(inf);
	if (inf->synced)
		return;
	inf->synced = true;
	if (inf->options.synced)
		inf->options.synced(inf->options.arg);
}

static void on_bookmark(struct informer *inf, struct slice object, int64_t revision)
{
	inf->revision = revision;
	struct slice end = json_find(object, "metadata", "annotations", "k8s.io/initial-events-end", NULL);
	if (inf->streaming_all && slice_is(end, "true"))
		initial_done(inf);
}

static void on_event(struct client_watch *w, const char *type, struct slice object, struct rcbuf *shared)
{
	struct informer *inf = CONTAINER_OF(w, struct informer, watch);
	struct strbuf key = STRBUF_INIT;
	int64_t revision = 0;
	if (inf->closing)
		return;
	inf->backoff_ms = BACKOFF_MIN_MS;
	if (strcmp(type, "ERROR") == 0) {
		if (slice_is(json_find(object, "code", NULL), "410"))
			inf->revision = 0; /* all over again */
		return;
	}
	if (!read_identity(object, &key, &revision)) {
		log_warn("informer", "event without identity ignored", "path=%s", inf->options.path);
	} else if (strcmp(type, "BOOKMARK") == 0) {
		on_bookmark(inf, object, revision);
	} else {
		if (!inf->streaming_all)
			inf->revision = revision;
		if (strcmp(type, "DELETED") == 0)
			remove_key(inf, strbuf_slice(&key), object, shared);
		else
			upsert(inf, strbuf_slice(&key), revision, object, shared);
	}
	strbuf_release(&key);
}

/* ---- connection ---- */

static void maybe_closed(struct informer *inf)
{
	if (!inf->closing || inf->watching || !inf->timer_closed)
		return;
	MAP_FOREACH (slot, &inf->objects)
		object_free(slot->value);
	map_release(&inf->objects);
	strbuf_release(&inf->path);
	void (*closed)(void *) = inf->closed;
	void *arg = inf->closed_arg;
	arena_release(&inf->arena);
	free(inf);
	if (closed)
		closed(arg);
}

static void reopen(uv_timer_t *t)
{
	open_watch(t->data);
}

static void on_end(struct client_watch *w, const struct err *err)
{
	struct informer *inf = CONTAINER_OF(w, struct informer, watch);
	inf->watching = false;
	if (inf->closing) {
		maybe_closed(inf);
		return;
	}
	if (err->code == ERR_COMPACTED || err->code == ERR_FUTURE_REVISION)
		inf->revision = 0;
	if (err->code)
		log_debug("informer", "watch ended", "path=%s error=\"%s\"", inf->options.path, err->msg);
	if (err->code == ERR_NOT_FOUND && inf->options.absent)
		inf->options.absent(inf->options.arg);
	/* also when it ended without an error: a server that ends every watch at once is asked no faster than one that
	 * fails. Events set the pause back. */
	inf->backoff_ms = inf->backoff_ms * 2 < BACKOFF_MAX_MS ? inf->backoff_ms * 2 : BACKOFF_MAX_MS;
	uv_timer_start(&inf->timer, reopen, inf->backoff_ms / 2 + jitter_below(inf->backoff_ms / 2 + 1), 0);
}

static void add_selector(struct strbuf *path, const char *name, const char *value)
{
	if (!value)
		return;
	strbuf_addf(path, "&%s=", name);
	http_encode(path, slice_of(value));
}

static void open_watch(struct informer *inf)
{
	strbuf_reset(&inf->path);
	strbuf_addf(&inf->path, "%s?watch=1&allowWatchBookmarks=true&timeoutSeconds=%d", inf->options.path,
	        WATCH_S + (int)jitter_below(WATCH_S));
	inf->streaming_all = inf->revision == 0;
	if (inf->streaming_all) {
		inf->epoch++;
		strbuf_adds(&inf->path, "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan");
	} else {
		strbuf_addf(&inf->path, "&resourceVersion=%lld", (long long)inf->revision);
	}
	add_selector(&inf->path, "labelSelector", inf->options.label_selector);
	add_selector(&inf->path, "fieldSelector", inf->options.field_selector);
	inf->watch = (struct client_watch){.path = inf->path.data, .on_event = on_event, .on_end = on_end};
	inf->watching = true;
	client_watch_open(inf->options.client, &inf->watch);
}

struct informer *informer_new(const struct informer_options *options)
{
	struct informer *inf = xcalloc(1, sizeof *inf);
	inf->options = *options;
	inf->options.path = arena_strdup(&inf->arena, options->path);
	inf->options.label_selector =
	        options->label_selector ? arena_strdup(&inf->arena, options->label_selector) : NULL;
	inf->options.field_selector =
	        options->field_selector ? arena_strdup(&inf->arena, options->field_selector) : NULL;
	inf->backoff_ms = BACKOFF_MIN_MS;
	CHECK(uv_timer_init(loop_uv(options->client->loop), &inf->timer) == 0);
	inf->timer.data = inf;
	open_watch(inf);
	return inf;
}

static void timer_closed(uv_handle_t *h)
{
	struct informer *inf = h->data;
	inf->timer_closed = true;
	maybe_closed(inf);
}

void informer_close(struct informer *inf, void (*closed)(void *arg), void *arg)
{
	LOOP_CHECK_OWNER(inf->options.client->loop);
	inf->closing = true;
	inf->closed = closed;
	inf->closed_arg = arg;
	if (inf->watching)
		client_watch_close(inf->options.client, &inf->watch);
	uv_close((uv_handle_t *)&inf->timer, timer_closed);
}

/* ---- reading ---- */

bool informer_is_synced(const struct informer *inf)
{
	return inf->synced;
}

struct informer_object *informer_get(const struct informer *inf, struct slice key)
{
	return map_get(&inf->objects, key);
}

struct informer_object *informer_get_named(const struct informer *inf, struct slice ns, struct slice name)
{
	char key[512];
	int n = ns.len ? snprintf(key, sizeof key, "%.*s/%.*s", SLICE_FMT(ns), SLICE_FMT(name))
	               : snprintf(key, sizeof key, "%.*s", SLICE_FMT(name));
	return n > 0 && (size_t)n < sizeof key ? informer_get(inf, (struct slice){key, (size_t)n}) : NULL;
}

size_t informer_count(const struct informer *inf)
{
	return inf->objects.count;
}

const struct map *informer_objects(const struct informer *inf)
{
	return &inf->objects;
}

struct json *informer_parse(struct arena *a, const struct informer_object *o)
{
	return json_parse(a, informer_text(o), NULL, NULL);
}
