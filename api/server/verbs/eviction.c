/* The eviction subresource of pods (policy/v1 Eviction): a deletion that disruption budgets may refuse. Policies and
 * webhooks are asked about the Eviction, and no more about the deletion that follows.
 *
 * What a budget allows is computed when it is asked, of the pods in the watch cache. The pod's deletion and the draw on
 * the budget (status.disruptedPods, disruptionsAllowed) are one transaction, so that two evictions at the same moment
 * cannot both use the last of it. */
#include "api/server/verbs/deletion.h"
#include "api/server/verbs/disruption.h"
#include "api/server/verbs/petition.h"
#include "api/server/verbs/verbs.h"

#include "api/client/meta.h"
#include "api/server/answer.h"
#include "api/server/body.h"
#include "api/server/state.h"
#include "api/server/status.h"
#include "api/server/strategy.h"
#include "base/check.h"

struct eviction {
	struct deletion deletion; /* first */
	struct petition petition;
	const char *cause; /* of a refusal; NULL: none */
};

/* ---- budgets ---- */

static bool covers(struct arena *a, const struct object *budget, struct slice ns, const struct json *pod)
{
	struct label_selector selector;
	bool nothing;
	if (!slice_eq(object_namespace(budget), ns))
		return false;
	struct json *tree = json_parse(a, object_text(budget), NULL, NULL);
	return label_selector_from_json(a, json_path(tree, "spec", "selector", NULL), &selector, &nothing, NULL) == 0 &&
	       !nothing && label_selector_matches_tree(&selector, json_path(pod, "metadata", "labels", NULL));
}

static const struct resource *budgets_row(void)
{
	return resource_find(SLICE("policy"), SLICE("v1"), SLICE("poddisruptionbudgets"));
}

/* The one budget of a pod; NULL: none. */
static struct object *find_budget(struct mutation *m, struct err *err)
{
	struct cache_resource *budgets = cache_resource(m->call->server->cache, budgets_row());
	struct object *found = NULL;
	for (struct omap_node *n = budgets->objects.head[0]; n; n = omap_next(n)) {
		if (!covers(m->arena, n->value, m->ns, m->old))
			continue;
		if (found) {
			err_set(err, ERR_INTERNAL,
			        "This pod has more than one PodDisruptionBudget, which the eviction subresource does "
			        "not "
			        "support.");
			return NULL;
		}
		found = n->value;
	}
	return found;
}

/* Pods that do not run yet, or any more, disrupt nobody by going. */
static bool needs_no_budget(const struct json *pod)
{
	struct slice phase = json_str(json_path(pod, "status", "phase", NULL));
	return slice_is(phase, "Pending") || slice_is(phase, "Succeeded") || slice_is(phase, "Failed") ||
	       json_path(pod, "metadata", "deletionTimestamp", NULL);
}

/* Pods that are not healthy may go when the others are enough, or always, as the budget says. */
static bool may_go_unhealthy(const struct json *pod, const struct json *budget, const struct disruption *d)
{
	struct slice policy = json_str(json_path(budget, "spec", "unhealthyPodEvictionPolicy", NULL));
	if (disruption_is_ready(pod))
		return false;
	return slice_is(policy, "AlwaysAllow") || (d->desired > 0 && d->healthy >= d->desired);
}

static int refuse(struct eviction *e, struct slice budget, const struct disruption *d, struct err *err)
{
	e->cause = arena_printf(e->deletion.mutation.arena,
	        "The disruption budget %.*s needs %lld healthy pods and has %lld currently", SLICE_FMT(budget),
	        (long long)d->desired, (long long)d->healthy);
	return err_set(err, ERR_BUSY, "Cannot evict pod as it would violate the pod's disruption budget.");
}

static void draw(struct mutation *m, struct object *o, struct json *budget, const struct disruption *d)
{
	struct strbuf key = STRBUF_INIT, text = STRBUF_INIT;
	resource_storage_key(&key, budgets_row()->storage, m->ns, object_name(o));
	disruption_draw(m->arena, budget, d, m->name);
	strategy_write_changed(&text, budget, o);
	struct admission_write *w =
	        admission_add_write(&m->admission, (struct slice){arena_memdup(m->arena, key.data, key.len), key.len});
	w->resource = budgets_row()->storage;
	w->when = ADMISSION_IF_AT;
	w->revision = o->revision;
	w->value = (struct slice){arena_memdup(m->arena, text.data, text.len), text.len};
	strbuf_release(&key);
	strbuf_release(&text);
}

static int ask_budget(struct eviction *e, struct err *err)
{
	struct mutation *m = &e->deletion.mutation;
	struct object *o = needs_no_budget(m->old) ? NULL : find_budget(m, err);
	struct disruption d;
	struct err why = ERR_INIT;
	if (!o)
		return err->code;
	struct json *budget = json_parse(m->arena, object_text(o), NULL, err);
	if (!budget)
		return err->code;
	if (disruption_compute(m->call->server->cache, m->arena, budget, &d, &why) != 0)
		return refuse(e, object_name(o), &d, err);
	if (may_go_unhealthy(m->old, budget, &d))
		return 0;
	if (d.allowed <= 0)
		return refuse(e, object_name(o), &d, err);
	draw(m, o, budget, &d);
	return 0;
}

/* ---- the verb ---- */

/* Controllers that count failures see that it was no fault of the pod's program. */
static void tell_why(struct mutation *m)
{
	struct arena *a = m->arena;
	struct json *list = json_need(a, json_need(a, m->object, "status", JSON_OBJECT), "conditions", JSON_ARRAY);
	condition_set(a, list, "DisruptionTarget", "True", "EvictionByEvictionAPI", "Eviction API: evicting", NULL);
}

static int decode(struct mutation *m, struct err *err)
{
	struct eviction *e = (struct eviction *)m;
	e->cause = NULL;
	if (ask_budget(e, err) != 0)
		return err->code;
	int rc = deletion_decode(m, err);
	if (rc == 0 && m->object && !json_path(m->old, "metadata", "deletionTimestamp", NULL))
		tell_why(m);
	return rc;
}

static void answer(struct mutation *m)
{
	struct call *c = m->call;
	c->shape = SHAPE_OBJECT;
	call_respond_tree(c, 201, status_new(&c->arena, 201, "", ""));
}

static void fail(struct mutation *m, const struct err *err)
{
	struct eviction *e = (struct eviction *)m;
	struct call *c = m->call;
	if (!e->cause) {
		call_respond_err(c, err);
		return;
	}
	/* No Retry-After: clients would try by themselves what drain wants to tell its user. */
	struct json *status = status_new(&c->arena, 429, "TooManyRequests", err->msg);
	struct json *details = json_set(&c->arena, status, "details", json_new(&c->arena, JSON_OBJECT));
	struct json *causes = json_set(&c->arena, details, "causes", json_new(&c->arena, JSON_ARRAY));
	struct json *cause = json_new(&c->arena, JSON_OBJECT);
	json_set_cstr(&c->arena, cause, "reason", "DisruptionBudget");
	json_set_cstr(&c->arena, cause, "message", e->cause);
	json_append(causes, cause);
	c->shape = SHAPE_OBJECT;
	c->not_again = true;
	call_respond_tree(c, 429, status);
}

static const struct mutation_verb verb = {.name = "eviction",
        .operation = ADMISSION_DELETE,
        .is_partial = true,
        .was_asked = true,
        .decode = decode,
        .answer = answer,
        .fail = fail};

/* Without a body it is one without options. */
static struct json *read_eviction(struct call *c, struct err *err)
{
	if (!c->body.len)
		c->body = SLICE("{\"apiVersion\":\"policy/v1\",\"kind\":\"Eviction\"}");
	struct json *eviction = body_read(c, c->route.sub->type, "Eviction", "policy/v1", err);
	struct slice name = json_str(json_path(eviction, "metadata", "name", NULL));
	if (name.len && !slice_eq(name, c->route.name)) {
		err_set(err, ERR_INVAL, "name in URL (%.*s) does not match name in Eviction object (%.*s)",
		        SLICE_FMT(c->route.name), SLICE_FMT(name));
		return NULL;
	}
	c->body = SLICE_NULL;
	return eviction;
}

/* Its deleteOptions stand in the Eviction, those of the query beside it. */
static void granted(struct petition *p)
{
	struct eviction *e = CONTAINER_OF(p, struct eviction, petition);
	struct json *options = json_get(p->admission.object, "deleteOptions");
	if (options)
		e->deletion.options = options;
	mutation_start(&e->deletion.mutation);
}

void api_evict(struct call *c)
{
	struct eviction *e = ARENA_NEW(&c->arena, struct eviction);
	struct err err = ERR_INIT;
	LOOP_CHECK_OWNER(c->loop);
	struct json *eviction = read_eviction(c, &err);
	if (!eviction || deletion_init(&e->deletion, &verb, c, &c->arena, &err) != 0) {
		call_respond_err(c, &err);
		return;
	}
	struct mutation *m = &e->deletion.mutation;
	m->is_dry_run = m->is_dry_run || deletion_asks_for_dry_run(json_get(eviction, "deleteOptions"));
	m->sub = ""; /* to admission what follows is the pod's deletion */
	petition_start(&e->petition, c, ADMISSION_CREATE, c->route.sub, eviction, m->is_dry_run, granted);
}
