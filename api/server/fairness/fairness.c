/* See fairness.h.
 *
 * The configuration is made anew when an object of it has changed: schemas in order, levels by name. Until the objects
 * are there (the first moments of a cluster), and for the two mandatory ones always, the presets stand in for them. A
 * schema that names a level that is not there matches nobody, as upstream.
 *
 * A call that may go on is told from a deferred step of the loop, so that whoever ends a call is never called back from
 * inside. */
#include "api/server/fairness/fairness.h"

#include "api/server/fairness/fairness_int.h"
#include "api/machinery/rules/groups/flow_presets.h"
#include "api/server/fairness/shuffle.h"
#include "api/server/fairness/width.h"
#include "api/server/state.h"
#include "base/check.h"

#include <inttypes.h>
#include <stdlib.h>

enum { WAIT_MS_MAX = 15000 };

/* ---- the configuration ---- */

static unsigned number(const struct json *o, const char *name, unsigned fallback, unsigned min, unsigned max)
{
	int64_t v = json_get_int(o, name, fallback);
	return v < min ? min : v > max ? max : (unsigned)v;
}

static struct level_spec level_spec_of(const struct json *object)
{
	const struct json *spec = json_get(object, "spec"), *limited = json_get(spec, "limited"),
	                  *exempt = json_get(spec, "exempt"), *response = json_get(limited, "limitResponse"),
	                  *queuing = json_get(response, "queuing");
	bool is_exempt = slice_is(json_get_str(spec, "type"), "Exempt");
	const struct json *of = is_exempt ? exempt : limited;
	struct level_spec s = {.is_exempt = is_exempt,
	        .has_queues = !is_exempt && slice_is(json_get_str(response, "type"), "Queue"),
	        .queues = number(queuing, "queues", 64, 1, SHUFFLE_DECK_MAX),
	        .hand = number(queuing, "handSize", 8, 1, SHUFFLE_HAND_MAX),
	        .queue_length = number(queuing, "queueLengthLimit", 50, 1, UINT16_MAX),
	        .shares = number(of, "nominalConcurrencyShares", is_exempt ? 0 : 30, 0, UINT16_MAX),
	        .lendable_percent = number(of, "lendablePercent", 0, 0, 100),
	        .borrowing_percent = LEVEL_NO_LIMIT};
	if (json_get(limited, "borrowingLimitPercent"))
		s.borrowing_percent = (int)number(limited, "borrowingLimitPercent", 0, 0, 10000);
	if (s.hand > s.queues)
		s.hand = s.queues;
	return s;
}

struct building {
	struct fairness *f;
	struct arena a;
	struct schema **schemas;
	size_t n_schemas, cap;
	struct map names; /* of levels there are */
};

static void add_level(struct building *b, const struct json *object)
{
	struct level_spec spec = level_spec_of(object);
	const struct json *meta = json_get(object, "metadata");
	struct slice name = json_get_str(meta, "name");
	if (!name.len || map_get(&b->names, name))
		return;
	struct level *level = levels_put(&b->f->levels, name, json_get_str(meta, "uid"), &spec);
	map_put(&b->names, name, level);
}

static void add_schema(struct building *b, const struct json *object)
{
	struct schema *s = schema_new(object);
	for (size_t i = 0; s && i < b->n_schemas; i++)
		if (slice_eq(b->schemas[i]->name, s->name)) { /* a preset whose object is there */
			schema_unref(s);
			return;
		}
	if (!s || !map_get(&b->names, s->level)) {
		schema_unref(s);
		return;
	}
	if (b->n_schemas == b->cap) {
		b->cap = b->cap ? 2 * b->cap : 32;
		b->schemas = xrealloc(b->schemas, b->cap * sizeof(struct schema *));
	}
	b->schemas[b->n_schemas++] = s;
}

static void add_objects(
        struct building *b, const struct cache_resource *cr, void (*add)(struct building *b, const struct json *object))
{
	for (struct omap_node *n = cr->objects.head[0]; n; n = omap_next(n)) {
		const struct json *tree = json_parse(&b->a, object_text(n->value), NULL, NULL);
		if (tree)
			add(b, tree);
	}
}

/* What is absent of the objects: the mandatory ones, and all while there are none at all. */
static void add_presets(struct building *b, bool is_level, bool all)
{
	for (const struct preset *p = presets; p->name; p++)
		if (is_level == !p->rules && (all || p->is_mandatory))
			(is_level ? add_level : add_schema)(b, preset_object(&b->a, p));
}

static int by_order(const void *x, const void *y)
{
	return schema_compare(*(struct schema *const *)x, *(struct schema *const *)y);
}

static void take_over(struct building *b)
{
	struct fairness *f = b->f;
	for (size_t i = 0; i < f->n_schemas; i++) {
		for (size_t k = 0; k < b->n_schemas; k++)
			if (slice_eq(f->schemas[i]->name, b->schemas[k]->name))
				schema_take_counts(b->schemas[k], f->schemas[i]);
		schema_unref(f->schemas[i]);
	}
	free(f->schemas);
	qsort(b->schemas, b->n_schemas, sizeof *b->schemas, by_order);
	f->schemas = b->schemas;
	f->n_schemas = b->n_schemas;
	LIST_FOREACH (it, &f->levels.list) {
		struct level *level = CONTAINER_OF(it, struct level, link);
		if (!level->is_gone && !map_get(&b->names, level->name))
			levels_drop(level);
	}
	levels_share(&f->levels);
}

static void build(struct fairness *f)
{
	struct building b = {.f = f};
	const struct cache_resource *schemas = f->schemas_followed.source, *levels = f->levels_followed.source;
	add_objects(&b, levels, add_level);
	add_presets(&b, true, !levels->objects.count || !schemas->objects.count);
	add_objects(&b, schemas, add_schema);
	add_presets(&b, false, !schemas->objects.count);
	take_over(&b);
	map_release(&b.names);
	arena_release(&b.a);
	f->is_stale = false;
	if (f->levels.waiting)
		loop_defer(f->server->loop, &f->go_on);
}

static void schema_changed(struct cache_follower *w, const struct object *before, const struct object *now)
{
	CONTAINER_OF(w, struct fairness, schemas_followed)->is_stale = true;
}

static void schemas_forgotten(struct cache_follower *w)
{
	CONTAINER_OF(w, struct fairness, schemas_followed)->is_stale = true;
}

static void level_changed(struct cache_follower *w, const struct object *before, const struct object *now)
{
	CONTAINER_OF(w, struct fairness, levels_followed)->is_stale = true;
}

static void levels_forgotten(struct cache_follower *w)
{
	CONTAINER_OF(w, struct fairness, levels_followed)->is_stale = true;
}

static void catch_up(struct fairness *f)
{
	cache_follower_catch_up(&f->levels_followed);
	cache_follower_catch_up(&f->schemas_followed);
	if (f->is_stale)
		build(f);
}

/* ---- calls ---- */

/* Their connections are other things than requests. */
static bool is_long(const struct call *c)
{
	const struct route *r = &c->route;
	return r->is_resource && r->sub && r->sub->is_connect;
}

/* There is always one: catch-all, of everybody. */
static struct schema *find_schema(const struct fairness *f, const struct attributes *a)
{
	for (size_t i = 0; i < f->n_schemas; i++)
		if (schema_matches(f->schemas[i], a))
			return f->schemas[i];
	return f->n_schemas ? f->schemas[f->n_schemas - 1] : NULL;
}

static int refuse(struct flow *w, enum schema_refusal why, struct err *err)
{
	w->schema->refused[why]++;
	schema_unref(TAKE(w->schema));
	return err_set(err, ERR_BUSY, "too many requests, please try again later");
}

static void client_gone(struct call *c)
{
	struct flow *w = c->flow;
	CHECK(w->is_waiting);
	w->schema->waiting--;
	w->is_waiting = false;
	level_leave(&w->seat);
	schema_unref(TAKE(w->schema));
	c->on_gone = NULL;
	call_unref(c);
}

static void stand_by(struct flow *w)
{
	struct call *c = call_ref(w->call);
	w->is_waiting = true;
	w->schema->waiting++;
	c->on_gone = client_gone;
}

static void start(struct flow *w)
{
	w->started_ms = loop_now_ms(w->call->loop);
	w->schema->executing++;
	w->schema->dispatched++;
}

static void tell(struct flow *w, const struct err *err)
{
	struct call *c = w->call;
	w->is_waiting = false;
	c->on_gone = NULL;
	w->then(c, err);
	call_unref(c);
}

static struct slice keep(struct call *c, struct slice s)
{
	return s.len ? (struct slice){arena_memdup(&c->arena, s.ptr, s.len), s.len} : SLICE_NULL;
}

bool fairness_enter(struct call *c, const struct attributes *a, void (*then)(struct call *c, const struct err *err),
        struct err *err)
{
	struct fairness *f = c->server->fairness;
	CHECK(!c->flow && a->user);
	if (!f || is_long(c))
		return true;
	catch_up(f);
	struct schema *schema = find_schema(f, a);
	struct level *level = schema ? levels_find(&f->levels, schema->level) : NULL;
	if (!level)
		return true;
	struct flow *w = ARENA_NEW(&c->arena, struct flow);
	*w = (struct flow){.call = c,
	        .schema = schema_ref(schema),
	        .schema_uid = keep(c, schema->uid),
	        .level_uid = keep(c, level->uid),
	        .then = then,
	        .seat = {.width = width_of(c),
	                .hash = schema_flow_hash(schema, a),
	                .is_patient = !c->exchange,
	                .since_ms = loop_now_ms(f->server->loop)}};
	c->flow = w;
	switch (level_enter(level, &w->seat)) {
	case LEVEL_RUN:
		start(w);
		return true;
	case LEVEL_WAIT:
		stand_by(w);
		return false;
	case LEVEL_FULL:
		refuse(w, REFUSED_FULL, err);
		return false;
	case LEVEL_BUSY:
		refuse(w, REFUSED_BUSY, err);
		return false;
	}
	return false;
}

void fairness_leave(struct call *c)
{
	struct flow *w = c->flow;
	struct fairness *f = c->server->fairness;
	if (!w || !w->schema || w->is_waiting)
		return;
	w->schema->executing--;
	level_leave(&w->seat);
	schema_unref(TAKE(w->schema));
	if (f->levels.waiting)
		loop_defer(f->server->loop, &f->go_on);
}

/* As many as there is room for. What they do may end others, which asks for another turn. */
static void go_on(struct loop_defer *d)
{
	struct fairness *f = CONTAINER_OF(d, struct fairness, go_on);
	struct err none = ERR_INIT;
	for (struct seat *s; (s = levels_next(&f->levels));) {
		struct flow *w = CONTAINER_OF(s, struct flow, seat);
		w->schema->waiting--;
		start(w);
		tell(w, &none);
	}
}

void fairness_tick(struct fairness *f)
{
	uint64_t now = loop_now_ms(f->server->loop);
	struct err err = ERR_INIT;
	if (!f->levels.waiting || now < WAIT_MS_MAX)
		return;
	for (struct seat *s; (s = levels_overdue(&f->levels, now - WAIT_MS_MAX));) {
		struct flow *w = CONTAINER_OF(s, struct flow, seat);
		w->schema->waiting--;
		refuse(w, REFUSED_LATE, &err);
		tell(w, &err);
	}
	loop_defer(f->server->loop, &f->go_on);
}

struct slice fairness_schema_uid(const struct call *c)
{
	return c->flow ? c->flow->schema_uid : SLICE_NULL;
}

struct slice fairness_level_uid(const struct call *c)
{
	return c->flow ? c->flow->level_uid : SLICE_NULL;
}

/* ---- metrics ---- */

#define METRIC "apiserver_flowcontrol_"

static void write_schema(struct strbuf *out, const char *metric, const struct schema *s, const char *more, uint64_t v)
{
	strbuf_addf(out, METRIC "%s{priority_level=\"%.*s\",flow_schema=\"%.*s\"%s} %" PRIu64 "\n", metric,
	        SLICE_FMT(s->level), SLICE_FMT(s->name), more, v);
}

static void write_type(struct strbuf *out, const char *metric, const char *type)
{
	strbuf_addf(out, "# TYPE " METRIC "%s %s\n", metric, type);
}

static void write_schemas(const struct fairness *f, struct strbuf *out)
{
	static const char *const reasons[SCHEMA_REFUSALS] = {
	        ",reason=\"queue-full\"", ",reason=\"concurrency-limit\"", ",reason=\"time-out\""};
	write_type(out, "dispatched_requests_total", "counter");
	for (size_t i = 0; i < f->n_schemas; i++)
		write_schema(out, "dispatched_requests_total", f->schemas[i], "", f->schemas[i]->dispatched);
	write_type(out, "rejected_requests_total", "counter");
	for (size_t i = 0; i < f->n_schemas; i++)
		for (size_t k = 0; k < SCHEMA_REFUSALS; k++)
			if (f->schemas[i]->refused[k])
				write_schema(out, "rejected_requests_total", f->schemas[i], reasons[k],
				        f->schemas[i]->refused[k]);
	write_type(out, "current_inqueue_requests", "gauge");
	for (size_t i = 0; i < f->n_schemas; i++)
		write_schema(out, "current_inqueue_requests", f->schemas[i], "", f->schemas[i]->waiting);
	write_type(out, "current_executing_requests", "gauge");
	for (size_t i = 0; i < f->n_schemas; i++)
		write_schema(out, "current_executing_requests", f->schemas[i], "", f->schemas[i]->executing);
}

static void write_levels(const struct fairness *f, struct strbuf *out)
{
	static const struct {
		const char *metric;
		size_t at;
	} rows[] = {{"nominal_limit_seats", offsetof(struct level, nominal)},
	        {"lower_limit_seats", offsetof(struct level, lower)},
	        {"upper_limit_seats", offsetof(struct level, upper)},
	        {"current_executing_seats", offsetof(struct level, seats_used)}};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		write_type(out, rows[i].metric, "gauge");
		LIST_FOREACH (it, &f->levels.list) {
			const struct level *level = CONTAINER_OF(it, struct level, link);
			strbuf_addf(out, METRIC "%s{priority_level=\"%.*s\"} %u\n", rows[i].metric,
			        SLICE_FMT(level->name), *(const unsigned *)((const char *)level + rows[i].at));
		}
	}
}

void fairness_metrics(const struct fairness *f, struct strbuf *out)
{
	if (!f)
		return;
	write_schemas(f, out);
	write_levels(f, out);
}

/* ---- life ---- */

static const struct resource *row(const char *plural)
{
	return resource_find_preferred(SLICE("flowcontrol.apiserver.k8s.io"), slice_of(plural));
}

struct fairness *fairness_new(struct api_server *s, unsigned seats)
{
	struct fairness *f = xcalloc(1, sizeof *f);
	f->server = s;
	f->is_stale = true;
	levels_init(&f->levels, seats);
	loop_defer_init(&f->go_on, go_on);
	f->schemas_followed.changed = schema_changed;
	f->schemas_followed.forget = schemas_forgotten;
	f->levels_followed.changed = level_changed;
	f->levels_followed.forget = levels_forgotten;
	cache_follower_init(&f->schemas_followed, s->cache, row("flowschemas"));
	cache_follower_init(&f->levels_followed, s->cache, row("prioritylevelconfigurations"));
	return f;
}

void fairness_stop(struct fairness *f)
{
	LOOP_CHECK_OWNER(f->server->loop);
	cache_follower_stop(&f->schemas_followed);
	cache_follower_stop(&f->levels_followed);
}

void fairness_free(struct fairness *f)
{
	if (!f)
		return;
	loop_defer_cancel(&f->go_on);
	for (size_t i = 0; i < f->n_schemas; i++)
		schema_unref(f->schemas[i]);
	free(f->schemas);
	levels_release(&f->levels);
	free(f);
}
