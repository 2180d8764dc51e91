/* See webhooks.h. A kind's webhooks are compiled anew when any of its configurations has changed, which the number of
 * the cache's last event tells. Whoever asks some of them holds the set that he began with until he is done, so that a
 * configuration may change or go while its webhooks are being asked. */
#include "api/server/admission/webhooks/webhooks.h"

#include "api/server/admission/admission.h"
#include "api/server/admission/plugin.h"
#include "api/server/admission/cel_request.h"
#include "api/server/state.h"
#include "base/check.h"

#include <stdlib.h>

enum { TIMEOUT_S = 10 };

struct webhook_store {
	struct kind_of_hooks {
		struct webhooks *now; /* NULL: nobody asked yet */
		uint64_t next_seq;
		int64_t horizon;
	} kinds[2];
};

/* ---- one ---- */

static const char *version_of(const struct json *hook)
{
	JSON_FOREACH (it, json_get(hook, "admissionReviewVersions")) {
		if (slice_is(json_str(it), "v1"))
			return "v1";
		if (slice_is(json_str(it), "v1beta1"))
			return "v1beta1";
	}
	return NULL;
}

static void read_hook(struct arena *a, struct webhook *w, struct slice configuration, const struct json *hook)
{
	const struct json *conditions = json_get(hook, "matchConditions");
	struct policy_env env;
	struct err err = ERR_INIT;
	w->name = json_cstr(a, json_get(hook, "name"));
	w->id = arena_printf(a, "%.*s/%s", SLICE_FMT(configuration), w->name);
	w->version = version_of(hook);
	w->ignores_failure = slice_is(json_get_str(hook, "failurePolicy"), "Ignore");
	w->reinvokes = slice_is(json_get_str(hook, "reinvocationPolicy"), "IfNeeded");
	w->timeout_s = (unsigned)json_get_int(hook, "timeoutSeconds", TIMEOUT_S);
	hook_place_read(a, &w->place, json_get(hook, "clientConfig"));
	if (admission_matcher_new(a, hook, "rules", &w->matcher, &err) != 0)
		w->fault = arena_strdup(a, err.msg);
	if (!conditions || !conditions->count)
		return;
	policy_env_init(&env, false, true);
	w->conditions = match_conditions_new(a, &env, conditions, NULL, NULL);
}

/* ---- all of a kind ---- */

static bool has_rules(const struct json *hook)
{
	const struct json *rules = json_get(hook, "rules");
	return rules && rules->count; /* one without is for nothing */
}

static void each_hook(struct webhooks *w, struct slice configuration, const struct json *tree)
{
	JSON_FOREACH (it, json_get(tree, "webhooks")) {
		if (!has_rules(it))
			continue;
		if ((w->count & (w->count - 1)) == 0)
			w->items = xrealloc(w->items, (w->count ? 2 * w->count : 1) * sizeof *w->items);
		w->items[w->count] = (struct webhook){0};
		read_hook(&w->arena, &w->items[w->count++], configuration, it);
	}
}

static struct webhooks *compile(struct cache_resource *cr)
{
	struct webhooks *w = xcalloc(1, sizeof *w);
	w->refs = 1;
	for (struct omap_node *it = omap_seek(&cr->objects, SLICE("")); it; it = omap_next(it)) {
		struct object *o = it->value;
		struct err err = ERR_INIT;
		each_hook(w, object_name(o), json_parse(&w->arena, object_text(o), NULL, &err));
	}
	return w;
}

struct webhooks *webhooks_get(struct api_server *s, bool mutating)
{
	const char *plural = mutating ? "mutatingwebhookconfigurations" : "validatingwebhookconfigurations";
	const struct resource *r = resource_find_preferred(SLICE("admissionregistration.k8s.io"), slice_of(plural));
	LOOP_CHECK_OWNER(s->loop);
	CHECK(r != NULL);
	struct cache_resource *cr = cache_resource(s->cache, r);
	if (!s->webhooks)
		s->webhooks = xcalloc(1, sizeof *s->webhooks);
	struct kind_of_hooks *k = &s->webhooks->kinds[mutating];
	if (!k->now || k->next_seq != cr->next_seq || k->horizon != cr->horizon) {
		webhooks_unref(k->now);
		*k = (struct kind_of_hooks){compile(cr), cr->next_seq, cr->horizon};
	}
	k->now->refs++;
	return k->now;
}

void webhooks_unref(struct webhooks *w)
{
	if (!w || --w->refs)
		return;
	for (size_t i = 0; i < w->count; i++)
		hook_place_release(&w->items[i].place);
	free(w->items);
	arena_release(&w->arena);
	free(w);
}

void webhooks_free(struct api_server *s)
{
	if (!s->webhooks)
		return;
	webhooks_unref(s->webhooks->kinds[false].now);
	webhooks_unref(s->webhooks->kinds[true].now);
	free(s->webhooks);
	s->webhooks = NULL;
}

/* ---- is it for a request? ---- */

int webhook_wants(const struct webhook *w, struct admission *a, const struct resource **ret_resource, struct err *err)
{
	const char *why = "";
	if (w->fault)
		return err_set(err, ERR_INTERNAL, "webhook \"%s\": %s", w->name, w->fault);
	int rc = admission_matcher_ask(w->matcher, a, ret_resource, err);
	if (rc <= 0 || !w->conditions)
		return rc;
	struct cel_request *request = ARENA_NEW(a->arena, struct cel_request);
	if (cel_request_init(request, a, *ret_resource, err) != 0)
		return err->code;
	enum match_verdict verdict = match_conditions_ask(w->conditions, a->arena, request->values, &why);
	if (verdict == MATCH_ERROR && !w->ignores_failure)
		return admission_forbid(a, err, why);
	return verdict == MATCH_HOLDS;
}
