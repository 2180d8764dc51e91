/* EventRateLimit: how many events may be written in a time, by everybody together, for a namespace, by a user, or about
 * one thing from one source. A bucket for each holds `burst` events and gets `qps` more a second; of a kind of buckets
 * the cacheSize that were used last are kept. An event needs one from each of its buckets; what is short of one is
 * refused with 429, which clients of events take as an advice to drop it. */
#include "api/server/admission/admission.h"
#include "api/server/admission/plugin.h"

#include "api/server/admission/config.h"
#include "api/server/call.h"
#include "api/server/state.h"
#include "base/check.h"

#include <stdlib.h>

enum { LIMITS_MAX = 8, CACHE_DEFAULT = 4096, CACHE_MAX = 1 << 20 };

struct bucket {
	struct slice key;
	struct list_link link; /* the last used at the end */
	double events;
	uint64_t then_ms;
};

struct limit {
	const char *type;
	void (*key)(const struct admission *a, struct strbuf *out);
	double qps, burst;
	size_t buckets_max;
	struct map buckets;
	struct list_link by_use;
};

struct event_limits {
	struct limit limits[LIMITS_MAX];
	size_t n;
};

/* ---- whose bucket ---- */

static void of_server(const struct admission *a, struct strbuf *out)
{
}

static void of_namespace(const struct admission *a, struct strbuf *out)
{
	strbuf_add_slice(out, a->ns);
}

static void of_user(const struct admission *a, struct strbuf *out)
{
	strbuf_add_slice(out, a->call->user->name);
}

static void of_source(const struct admission *a, struct strbuf *out)
{
	static const char *const object[] = {"kind", "namespace", "name", "uid", "apiVersion"};
	const struct json *e = a->object, *source = json_get(e, "source");
	const struct json *about =
	        json_get(e, "involvedObject") ? json_get(e, "involvedObject") : json_get(e, "regarding");
	struct slice component = json_get_str(source, "component");
	strbuf_add_slice(out, component.len ? component : json_get_str(e, "reportingController"));
	strbuf_addc(out, '/');
	strbuf_add_slice(out, json_get_str(source, "host"));
	for (size_t i = 0; i < COUNT_OF(object); i++) {
		strbuf_addc(out, '/');
		strbuf_add_slice(out, json_get_str(about, object[i]));
	}
}

static const struct {
	const char *type;
	void (*key)(const struct admission *a, struct strbuf *out);
} types[] = {{"Server", of_server}, {"Namespace", of_namespace}, {"User", of_user}, {"SourceAndObject", of_source}};

/* ---- buckets ---- */

static struct bucket *bucket_of(struct limit *l, struct slice key, uint64_t now)
{
	struct bucket *b = map_get(&l->buckets, key);
	if (b) {
		list_del(&b->link);
	} else {
		if (l->buckets.count >= l->buckets_max) {
			struct bucket *oldest = CONTAINER_OF(list_pop_front(&l->by_use), struct bucket, link);
			map_del(&l->buckets, oldest->key);
			free(oldest);
		}
		b = MAP_ENTRY_NEW(struct bucket, key, key);
		b->events = l->burst;
		b->then_ms = now;
		map_put(&l->buckets, b->key, b);
	}
	list_push_back(&l->by_use, &b->link);
	return b;
}

static bool take(struct limit *l, const struct admission *a, uint64_t now)
{
	CLEANUP(cleanup_strbuf) struct strbuf key = STRBUF_INIT;
	strbuf_addc(&key, '.');
	l->key(a, &key);
	struct bucket *b = bucket_of(l, strbuf_slice(&key), now);
	b->events += (double)(now - b->then_ms) / 1000 * l->qps;
	if (b->events > l->burst)
		b->events = l->burst;
	b->then_ms = now;
	if (b->events < 1)
		return false;
	b->events -= 1;
	return true;
}

int admit_event(struct admission *a, struct err *err)
{
	struct api_server *s = a->call->server;
	struct event_limits *l = s->admission->events;
	const char *short_of = NULL;
	if (a->is_dry_run)
		return 0;
	for (size_t i = 0; i < l->n; i++)
		if (!take(&l->limits[i], a, loop_now_ms(s->loop)))
			short_of = l->limits[i].type;
	return short_of ? err_set(err, ERR_BUSY, "limit reached on type %s for events", short_of) : 0;
}

/* ---- configuration ---- */

static int read_limit(const struct json *v, struct limit *l, struct err *err)
{
	struct slice type = json_get_str(v, "type");
	int64_t qps = json_get_int(v, "qps", 0), burst = json_get_int(v, "burst", 0),
	        size = json_get_int(v, "cacheSize", CACHE_DEFAULT);
	for (size_t i = 0; i < COUNT_OF(types); i++)
		if (slice_is(type, types[i].type))
			*l = (struct limit){.type = types[i].type, .key = types[i].key};
	if (!l->type)
		return err_set(err, ERR_INVAL,
		        "limits: the type \"%.*s\" is none of Server, Namespace, User, SourceAndObject",
		        SLICE_FMT(type));
	if (qps < 1 || burst < 1 || size < 1 || size > CACHE_MAX)
		return err_set(err, ERR_INVAL,
		        "limits of %s: qps, burst and cacheSize are at least 1 (cacheSize at most %d)", l->type,
		        CACHE_MAX);
	l->qps = (double)qps;
	l->burst = (double)burst;
	l->buckets_max = (size_t)size;
	return 0;
}

int event_limits_new(const struct json *configuration, struct event_limits **ret, struct err *err)
{
	struct event_limits *l = xcalloc(1, sizeof *l);
	JSON_FOREACH (it, json_get(configuration, "limits")) {
		if (l->n == LIMITS_MAX)
			err_set(err, ERR_INVAL, "limits: more than %d", LIMITS_MAX);
		else
			read_limit(it, &l->limits[l->n], err);
		if (err->code)
			break;
		list_init(&l->limits[l->n++].by_use);
	}
	if (!err->code && l->n == 0)
		err_set(err, ERR_INVAL, "limits: there are none");
	if (err->code) {
		event_limits_free(l);
		return err->code;
	}
	*ret = l;
	return 0;
}

void event_limits_free(struct event_limits *l)
{
	for (size_t i = 0; l && i < l->n; i++) {
		MAP_FOREACH (it, &l->limits[i].buckets)
			free(it->value);
		map_release(&l->limits[i].buckets);
	}
	free(l);
}
