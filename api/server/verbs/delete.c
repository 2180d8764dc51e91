/* See deletion.h: DELETE of one object. */
#include "api/server/verbs/deletion.h"

#include "api/machinery/schema/kind_ops.h"
#include "api/server/verbs/verbs.h"

#include "api/server/answer.h"
#include "api/server/body.h"
#include "api/server/call.h"
#include "api/server/status.h"
#include "api/server/strategy.h"
#include "base/check.h"

/* ---- deciding ---- */

static int check_preconditions(const struct deletion *d, const struct object *o, struct err *err)
{
	struct json *pre = json_get(d->options, "preconditions");
	struct slice uid = json_get_str(pre, "uid"), version = json_get_str(pre, "resourceVersion");
	struct slice have = object_span(o, o->uid);
	int64_t revision;
	if (uid.len && !slice_eq(uid, have))
		return err_set(err, ERR_CONFLICT,
		        "Operation cannot be fulfilled on %s \"%.*s\": the UID in the precondition (%.*s) does not "
		        "match the UID in record (%.*s). The object might have been deleted and then recreated",
		        d->mutation.resource->plural, SLICE_FMT(d->mutation.name), SLICE_FMT(uid), SLICE_FMT(have));
	if (version.len && (!slice_to_i64(version, &revision) || revision != o->revision))
		return err_set(err, ERR_CONFLICT,
		        "Operation cannot be fulfilled on %s \"%.*s\": the ResourceVersion in the precondition (%.*s) "
		        "does not match the ResourceVersion in record (%lld). The object might have been modified",
		        d->mutation.resource->plural, SLICE_FMT(d->mutation.name), SLICE_FMT(version),
		        (long long)o->revision);
	return 0;
}

/* Seconds a pod is given; other kinds have none. */
static int64_t grace_of(struct deletion *d, const struct json *object)
{
	const struct resource *r = d->mutation.resource;
	if (!resource_has(r, KIND_IS_POD))
		return 0;
	struct json *spec = json_get(object, "spec");
	struct slice phase = json_str(json_path(object, "status", "phase", NULL));
	if (!json_get_str(spec, "nodeName").len || slice_is(phase, "Succeeded") || slice_is(phase, "Failed"))
		return 0;
	int64_t own = json_get_int(spec, "terminationGracePeriodSeconds", 30);
	return json_get_int(d->options, "gracePeriodSeconds", own);
}

static void list_drop(struct json *list, const char *text)
{
	JSON_FOREACH (it, list)
		if (slice_is(json_str(it), text)) {
			json_remove(list, it);
			return;
		}
}

static bool list_has(const struct json *list, const char *text)
{
	JSON_FOREACH (it, list)
		if (slice_is(json_str(it), text))
			return true;
	return false;
}

/* Adds or removes the finalizers that stand for the propagation asked for (garbage collection, "cascading deletion").
 */
static void apply_propagation(struct deletion *d, struct json *meta)
{
	struct arena *a = d->mutation.arena;
	struct slice policy = json_get_str(d->options, "propagationPolicy");
	bool orphan = slice_is(policy, "Orphan") || json_get_bool(d->options, "orphanDependents", false);
	bool foreground = slice_is(policy, "Foreground");
	struct json *list = json_get(meta, "finalizers");
	if (!policy.len && !json_get(d->options, "orphanDependents") &&
	        resource_has(d->mutation.resource, KIND_ORPHANS) && !list_has(list, "foregroundDeletion"))
		orphan = true;
	if (!policy.len && !orphan)
		return;
	if (list) {
		list_drop(list, "orphan");
		list_drop(list, "foregroundDeletion");
	}
	if (orphan || foreground)
		json_append(json_need(a, meta, "finalizers", JSON_ARRAY),
		        json_new_cstr(a, orphan ? "orphan" : "foregroundDeletion"));
}

/* Kinds that others hang on are emptied before they go; once, for who empties them takes the finalizer away. */
static void add_cleanup(struct mutation *m, struct json *meta)
{
	const char *cleanup = resource_ops(m->resource)->cleanup;
	if (cleanup && !json_get_str(meta, "deletionTimestamp").len)
		json_append(json_need(m->arena, meta, "finalizers", JSON_ARRAY), json_new_cstr(m->arena, cleanup));
}

static bool is_held(const struct resource *r, const struct json *object)
{
	struct json *finalizers = json_path(object, "metadata", "finalizers", NULL);
	if (finalizers && finalizers->first)
		return true;
	struct json *ns = resource_has(r, KIND_IS_NAMESPACE) ? json_path(object, "spec", "finalizers", NULL) : NULL;
	return ns && ns->first;
}

/* Marks the object as dying. False when it was already, at least this fast. */
static bool mark(struct deletion *d, struct json *object, int64_t grace)
{
	struct arena *a = d->mutation.arena;
	struct json *meta = json_get(object, "metadata");
	bool dying = json_get_str(meta, "deletionTimestamp").len > 0;
	if (dying && json_get_int(meta, "deletionGracePeriodSeconds", 0) <= grace)
		return false;
	json_set_cstr(a, meta, "deletionTimestamp", strategy_time(a, grace));
	json_set_int(a, meta, "deletionGracePeriodSeconds", grace);
	if (d->mutation.resource->has_generation && !dying)
		json_set_int(a, meta, "generation", json_get_int(meta, "generation", 0) + 1);
	if (resource_has(d->mutation.resource, KIND_IS_NAMESPACE))
		json_set_cstr(a, json_need(a, object, "status", JSON_OBJECT), "phase", "Terminating");
	return true;
}

int deletion_decode(struct mutation *m, struct err *err)
{
	struct deletion *d = (struct deletion *)m;
	struct json *object = json_copy(m->arena, m->old);
	if (check_preconditions(d, m->before, err) != 0)
		return err->code;
	apply_propagation(d, json_get(object, "metadata"));
	add_cleanup(m, json_get(object, "metadata"));
	int64_t grace = grace_of(d, object);
	m->removes = grace == 0 && !is_held(m->resource, object);
	if (m->removes)
		return 0;
	if (!mark(d, object, grace)) { /* dying already: nothing to add */
		m->result = call_object_text(m->call, m->before);
		return MUTATION_SETTLED;
	}
	m->object = object;
	return 0;
}

bool deletion_asks_for_dry_run(const struct json *options)
{
	JSON_FOREACH (it, json_get(options, "dryRun"))
		if (slice_is(json_str(it), "All"))
			return true;
	return false;
}

int deletion_init(
        struct deletion *d, const struct mutation_verb *verb, struct call *c, struct arena *a, struct err *err)
{
	mutation_init(&d->mutation, verb, c, a);
	d->options = body_read_delete_options(c, err);
	if (!d->options || body_dry_run(c, &d->mutation.is_dry_run, err) != 0)
		return err->code;
	d->mutation.is_dry_run = d->mutation.is_dry_run || deletion_asks_for_dry_run(d->options);
	return 0;
}

/* ---- DELETE ---- */

/* Some kinds answer with the object as it was, the others with a Status. */
static void answer(struct mutation *m)
{
	struct call *c = m->call;
	const struct resource *r = m->resource;
	if (m->result) {
		mutation_answer_object(m, 200);
		return;
	}
	if (resource_has(r, KIND_IS_POD) || resource_has(r, KIND_IS_NAMESPACE))
		call_respond_object(c, 200, call_object_text(c, m->before), r->storage);
	else
		call_respond_success(c, r, m->name, object_span(m->before, m->before->uid));
}

static const struct mutation_verb verb = {.name = "delete",
        .operation = ADMISSION_DELETE,
        .is_partial = true,
        .decode = deletion_decode,
        .answer = answer};

/* Jobs alone are told so, as upstream has it. */
static void warn_of_orphans(const struct deletion *d)
{
	const struct resource *r = d->mutation.resource;
	if (resource_has(r, KIND_ORPHANS) && strcmp(r->plural, "jobs") == 0 &&
	        !json_get(d->options, "propagationPolicy") && !json_get(d->options, "orphanDependents"))
		call_warn(d->mutation.call,
		        "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background "
		        "to remove them or set propagationPolicy=Orphan to suppress this warning");
}

void api_delete(struct call *c)
{
	struct deletion *d = ARENA_NEW(&c->arena, struct deletion);
	struct err err = ERR_INIT;
	LOOP_CHECK_OWNER(c->loop);
	if (deletion_init(d, &verb, c, &c->arena, &err) != 0) {
		call_respond_err(c, &err);
		return;
	}
	warn_of_orphans(d);
	mutation_start(&d->mutation);
}
