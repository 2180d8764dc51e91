/* PodTolerationRestriction: pods of a namespace get the tolerations that its annotation (or the configuration) gives by
 * default, and may have none beyond those that it allows.
 *
 * The annotations are JSON: lists of tolerations. One that does not read lets no pod in. */
#include "api/server/admission/admission.h"
#include "api/server/admission/plugin.h"

#include "api/server/admission/config.h"
#include "api/server/call.h"
#include "api/server/state.h"

#define ANNOTATION "scheduler.alpha.kubernetes.io/"

static struct slice operator_of(const struct json *t)
{
	struct slice s = json_get_str(t, "operator");
	return s.len ? s : SLICE("Equal");
}

/* Is whatever `t` tolerates tolerated by `s`, for as long? */
static bool covers(const struct json *s, const struct json *t)
{
	struct slice key = json_get_str(s, "key"), effect = json_get_str(s, "effect");
	bool is_any = slice_is(operator_of(s), "Exists");
	const struct json *limit = json_get(s, "tolerationSeconds"), *asked = json_get(t, "tolerationSeconds");
	if (!slice_eq(key, json_get_str(t, "key")) && (key.len || !is_any))
		return false;
	if (effect.len && !slice_eq(effect, json_get_str(t, "effect")))
		return false;
	if (slice_is(effect, "NoExecute") && limit && (!asked || json_int(asked, 0) > json_int(limit, 0)))
		return false;
	return is_any ||
	       (slice_is(operator_of(t), "Equal") && slice_eq(json_get_str(s, "value"), json_get_str(t, "value")));
}

static bool is_covered(const struct json *list, const struct json *t)
{
	JSON_FOREACH (it, list)
		if (covers(it, t))
			return true;
	return false;
}

/* The namespace's list, or the configuration's; NULL with err->code 0: there is none. */
static const struct json *list_of(struct admission *a, const char *annotation, const char *member, struct err *err)
{
	struct object *o = admission_lookup(a, "", "namespaces", a->ns);
	const struct json *ns = o ? json_parse(a->arena, object_text(o), NULL, NULL) : NULL;
	const struct json *text = json_get(json_path(ns, "metadata", "annotations", NULL), annotation);
	if (!text)
		return json_get(a->call->server->admission->tolerations, member);
	if (!json_str(text).len)
		return NULL;
	const struct json *list = json_parse(a->arena, json_str(text), NULL, NULL);
	if (!json_is(list, JSON_ARRAY))
		admission_forbid(
		        a, err, arena_printf(a->arena, "the annotation %s of its namespace is no list", annotation));
	return list;
}

int admit_pod_tolerations(struct admission *a, struct err *err)
{
	if (a->operation != ADMISSION_CREATE)
		return 0;
	const struct json *given = list_of(a, ANNOTATION "defaultTolerations", "default", err);
	struct json *spec = json_need(a->arena, a->object, "spec", JSON_OBJECT);
	JSON_FOREACH (it, err->code ? NULL : given)
		if (!is_covered(json_get(spec, "tolerations"), it))
			json_append(json_need(a->arena, spec, "tolerations", JSON_ARRAY), json_copy(a->arena, it));
	return err->code;
}

int admit_allowed_tolerations(struct admission *a, struct err *err)
{
	const struct json *allowed = list_of(a, ANNOTATION "tolerationsWhitelist", "whitelist", err);
	if (err->code || !allowed || !allowed->first)
		return err->code;
	JSON_FOREACH (it, json_path(a->object, "spec", "tolerations", NULL))
		if (!is_covered(allowed, it))
			return admission_forbid(a, err,
			        "pod tolerations (possibly merged with namespace default tolerations) conflict with "
			        "its "
			        "namespace whitelist");
	return 0;
}
