/* See workload.h. */
#include "api/machinery/rules/groups/workload.h"

#include "api/machinery/rules/checks_value.h"
#include "api/machinery/rules/pod/pod.h"
#include "api/machinery/schema/selector.h"
#include "base/check.h"

/* ---- selectors ---- */

static bool is_empty(const struct json *selector)
{
	const struct json *labels = json_get(selector, "matchLabels"), *more = json_get(selector, "matchExpressions");
	return !(labels && labels->first) && !(more && more->first);
}

static void bad_selector(struct field_errors *e, const struct json *selector, const char *detail)
{
	field_error_add(e, "FieldValueInvalid", "spec.selector", "Invalid value: %s: %s",
	        go_selector_text(e->arena, selector), detail);
}

/* One that can't be read is check_selector()'s to tell: false. */
static bool check_matches(struct field_errors *e, const struct json *spec)
{
	const struct json *labels = json_path(spec, "template", "metadata", "labels", NULL);
	struct label_selector parsed;
	bool nothing;
	if (label_selector_from_json(e->arena, json_get(spec, "selector"), &parsed, &nothing, NULL) != 0)
		return false;
	if (nothing || !label_selector_matches_tree(&parsed, labels))
		field_error_add(e, "FieldValueInvalid", "spec.template.metadata.labels",
		        "Invalid value: %s: `selector` does not match template `labels`",
		        go_map_text(e->arena, labels));
	return true;
}

void check_selector_matches(struct field_errors *e, const struct json *spec)
{
	if (!json_get(spec, "selector"))
		bad_required(e, "spec.selector", "");
	check_selector(e, "spec.selector", json_get(spec, "selector"));
	check_matches(e, spec);
}

void check_selector_chooses(struct field_errors *e, const struct json *spec, const char *kind)
{
	const struct json *selector = json_get(spec, "selector");
	check_selector(e, "spec.selector", selector);
	if (selector && is_empty(selector))
		bad_selector(e, selector, at(e, "empty selector is invalid for %s", kind));
	if (!check_matches(e, spec))
		bad_selector(e, selector, "invalid label selector");
}

/* ---- the status ---- */

void check_counters(struct field_errors *e, const struct json *status, const char *members)
{
	struct slice rest = slice_of(members);
	while (rest.ptr) {
		struct slice name = slice_cut(&rest, ',');
		const struct json *v = json_get_slice(status, name);
		if (v && json_int(v, 0) < 0)
			check_non_negative(e, at(e, "status.%.*s", SLICE_FMT(name)), v);
	}
}

void check_not_above(
        struct field_errors *e, const struct json *status, const char *members, const char *most, const char *detail)
{
	struct slice rest = slice_of(members);
	int64_t limit = json_get_int(status, most, 0);
	while (rest.ptr) {
		struct slice name = slice_cut(&rest, ',');
		int64_t n = json_int(json_get_slice(status, name), 0);
		if (n > limit)
			bad_number(e, at(e, "status.%.*s", SLICE_FMT(name)), n, detail);
	}
}

void check_collisions(struct field_errors *e, const struct json *status, const struct json *before)
{
	const struct json *had = json_get(before, "collisionCount"), *now = json_get(status, "collisionCount");
	if (had && json_int(now, 0) < json_int(had, 0))
		bad_number(e, "status.collisionCount", json_int(now, 0), "cannot be decremented");
}

/* ---- warnings ---- */

void warn_of_pods_name(struct warnings *w, const struct json *object, const struct json *old)
{
	const char *bad = old ? NULL : validate_dns1123_label(json_str(json_path(object, "metadata", "name", NULL)));
	if (bad)
		warning_add(w,
		        "metadata.name: this is used in Pod names and hostnames, which can result in surprising "
		        "behavior; a DNS label is recommended: [%s]",
		        bad);
}

void warn_of_template(struct warnings *w, const char *base, const struct json *object, const struct json *old,
        const struct json *template)
{
	if (is_new_spec(object, old))
		warn_of_pod(w, base, json_get(template, "metadata"), json_get(template, "spec"));
}

void warn_of_workload(struct warnings *w, const struct json *object, const struct json *old)
{
	warn_of_pods_name(w, object, old);
	warn_of_template(w, "spec.template.", object, old, json_path(object, "spec", "template", NULL));
}
