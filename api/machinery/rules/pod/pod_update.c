/* What may change of a pod that is there: images, deadlines, added tolerations, removed gates; and while a gate holds
 * it back its choice of nodes, as long as it only becomes narrower. Upstream: ValidatePodUpdate and "mutable scheduling
 * directives" (KEP-3838). */
#include "api/machinery/rules/pod/pod_parts_int.h"

#include "api/machinery/rules/checks_value.h"
#include "base/check.h"

static void take_images(struct arena *a, struct json *spec, const struct json *from, const char *list)
{
	struct json *o = json_get(from, list) ? json_get(from, list)->first : NULL;
	JSON_FOREACH (c, json_get(spec, list)) {
		if (o && json_get(o, "image"))
			json_set_str(a, c, "image", json_get_str(o, "image"));
		o = o ? o->next : NULL;
	}
}

/* What a toleration is for; only how long it lasts may change. */
static struct slice toleration_key(struct field_errors *e, const struct json *t)
{
	return slice_of(
	        at(e, "%.*s %.*s %.*s %.*s", SLICE_FMT(json_get_str(t, "key")), SLICE_FMT(json_get_str(t, "effect")),
	                SLICE_FMT(json_get_str(t, "operator")), SLICE_FMT(json_get_str(t, "value"))));
}

static void check_tolerations_kept(struct field_errors *e, const struct json *now, const struct json *before)
{
	struct name_set had = {MAP_INIT};
	bool kept = true;
	JSON_FOREACH (it, now)
		name_set_add(&had, toleration_key(e, it));
	JSON_FOREACH (it, before)
		kept = kept && name_set_has(&had, toleration_key(e, it));
	name_set_release(&had);
	if (!kept)
		bad_forbidden(
		        e, "spec.tolerations", "existing toleration can not be modified except its tolerationSeconds");
}

static void check_gates_kept(struct field_errors *e, const struct json *now, const struct json *before)
{
	struct name_set had = {MAP_INIT};
	JSON_FOREACH (it, before)
		name_set_add(&had, json_get_str(it, "name"));
	JSON_FOREACH (it, now)
		if (!name_set_has(&had, json_get_str(it, "name")))
			bad_forbidden(e, "spec.schedulingGates",
			        at(e, "only deletion is allowed, but found new scheduling gate '%.*s'",
			                SLICE_FMT(json_get_str(it, "name"))));
	name_set_release(&had);
}

static void check_deadline_change(struct field_errors *e, const struct json *now, const struct json *before)
{
	static const char field[] = "spec.activeDeadlineSeconds";
	if (before && !now)
		field_error_add(e, "FieldValueInvalid", field,
		        "Invalid value: null: must not update from a positive integer to nil value");
	else if (before && json_int(now, 0) > json_int(before, 0))
		bad_number(e, field, json_int(now, 0), "must be less than or equal to previous value");
}

/* A grace period that was negative once may be mended to 1. */
static bool grace_is_mended(const struct json *now, const struct json *before)
{
	return json_int(before, 0) < 0 && json_int(now, 0) == 1;
}

/* ---- while it is gated ---- */

static void check_selector_grows(struct field_errors *e, const struct json *now, const struct json *before)
{
	JSON_FOREACH (it, before) {
		const struct json *kept = json_get_slice(now, it->key);
		if (kept && slice_eq(json_str(kept), json_str(it)))
			continue;
		field_error_add(e, "FieldValueInvalid", "spec.nodeSelector",
		        "Invalid value: %s: only additions to spec.nodeSelector are allowed (no mutations or "
		        "deletions)",
		        go_map_text(e->arena, now));
		return;
	}
}

/* All of `before`, in its order, begins `now`. */
static bool begins(const struct json *now, const struct json *before)
{
	const struct json *n = now ? now->first : NULL;
	JSON_FOREACH (it, before) {
		if (!n || !json_equal(n, it))
			return false;
		n = n->next;
	}
	return true;
}

static bool is_empty(const struct json *list)
{
	return !list || !list->first;
}

/* Its expressions are met together, so that one more makes it narrower; one that had none matched nothing. */
static bool term_is_narrower(const struct json *now, const struct json *before)
{
	const struct json *labels = json_get(before, "matchExpressions"), *fields = json_get(before, "matchFields");
	const struct json *labels_now = json_get(now, "matchExpressions"), *fields_now = json_get(now, "matchFields");
	if (is_empty(labels) && is_empty(fields) && !(is_empty(labels_now) && is_empty(fields_now)))
		return false;
	return begins(labels_now, labels) && begins(fields_now, fields);
}

/* Of terms one is enough: none may come, and none may go. */
static void check_terms_narrow(struct field_errors *e, const struct json *now, const struct json *before)
{
	static const char field[] =
	        "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms";
	const struct json *n = now ? now->first : NULL;
	int i = 0;
	if (is_empty(before))
		return;
	if (!now || now->count != before->count) {
		field_error_add(e, "FieldValueInvalid", field,
		        "Invalid value: []core.NodeSelectorTerm{...}: no additions/deletions to non-empty "
		        "NodeSelectorTerms list are allowed");
		return;
	}
	JSON_FOREACH (it, before) {
		if (!term_is_narrower(n, it))
			field_error_add(e, "FieldValueInvalid", at(e, "%s[%d]", field, i),
			        "Invalid value: core.NodeSelectorTerm{...}: only additions are allowed (no mutations "
			        "or "
			        "deletions)");
		n = n->next;
		i++;
	}
}

static const struct json *required_terms(const struct json *spec)
{
	return json_path(spec, "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution",
	        "nodeSelectorTerms", NULL);
}

/* As if the choice of nodes had not changed. */
static void mask_choice(struct arena *a, struct json *masked, const struct json *before)
{
	const struct json *had = json_get(before, "affinity"), *of_nodes = json_get(had, "nodeAffinity");
	struct json *now = json_get(masked, "affinity");
	if (json_get(before, "nodeSelector"))
		json_set(a, masked, "nodeSelector", json_copy(a, json_get(before, "nodeSelector")));
	else
		json_del(masked, "nodeSelector");
	if (of_nodes)
		json_set(a, json_need(a, masked, "affinity", JSON_OBJECT), "nodeAffinity", json_copy(a, of_nodes));
	else if (had)
		json_del(now, "nodeAffinity");
	else if (now && !json_get(now, "podAffinity") && !json_get(now, "podAntiAffinity"))
		json_del(masked, "affinity");
}

static void check_gated(struct field_errors *e, struct json *masked, const struct json *now, const struct json *before)
{
	check_selector_grows(e, json_get(now, "nodeSelector"), json_get(before, "nodeSelector"));
	check_terms_narrow(e, required_terms(now), required_terms(before));
	mask_choice(e->arena, masked, before);
}

/* ---- all of it ---- */

static bool same_count(struct field_errors *e, const struct json *now, const struct json *before, const char *list)
{
	const struct json *n = json_get(now, list), *b = json_get(before, list);
	if ((n ? n->count : 0) == (b ? b->count : 0))
		return true;
	bad_forbidden(e, at(e, "spec.%s", list), "pod updates may not add or remove containers");
	return false;
}

void validate_pod_update(struct field_errors *e, const struct json *object, const struct json *old)
{
	static const char grace[] = "terminationGracePeriodSeconds";
	struct arena *a = e->arena;
	struct json *now = json_get(object, "spec"), *before = json_get(old, "spec");
	if (!now || !before)
		return;
	if (!same_count(e, now, before, "containers") || !same_count(e, now, before, "initContainers"))
		return;
	check_deadline_change(e, json_get(now, "activeDeadlineSeconds"), json_get(before, "activeDeadlineSeconds"));
	check_gates_kept(e, json_get(now, "schedulingGates"), json_get(before, "schedulingGates"));
	check_tolerations_kept(e, json_get(now, "tolerations"), json_get(before, "tolerations"));
	bool mended = grace_is_mended(json_get(now, grace), json_get(before, grace));
	struct json *masked = json_copy(a, now);
	take_images(a, masked, before, "containers");
	take_images(a, masked, before, "initContainers");
	if (!is_empty(json_get(before, "schedulingGates")))
		check_gated(e, masked, now, before);
	if (differs_beyond(masked, before,
	            mended ? "activeDeadlineSeconds,tolerations,schedulingGates,terminationGracePeriodSeconds"
	                   : "activeDeadlineSeconds,tolerations,schedulingGates"))
		bad_forbidden(e, "spec",
		        "pod updates may not change fields other than "
		        "`spec.containers[*].image`,`spec.initContainers[*].image`,"
		        "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing "
		        "tolerations),`spec.terminationGracePeriodSeconds` "
		        "(allow it to be set to 1 if it was previously negative)");
}
