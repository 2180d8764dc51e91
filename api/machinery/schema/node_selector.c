/* See node_selector.h. Upstream: component-helpers/scheduling/corev1. */
#include "api/machinery/schema/node_selector.h"

#include "base/json/scan.h"

static struct slice label_of(struct slice labels, struct slice key, bool *has)
{
	char name[512];
	*has = false;
	if (key.len >= sizeof name || !labels.len)
		return SLICE_NULL;
	memcpy(name, key.ptr ? key.ptr : "", key.len);
	name[key.len] = 0;
	struct slice v = json_find(labels, name, NULL);
	*has = v.ptr != NULL;
	return v;
}

static bool is_among(const struct json *values, struct slice v)
{
	JSON_FOREACH (it, values)
		if (slice_eq(json_str(it), v))
			return true;
	return false;
}

static bool expression_matches(const struct json *e, struct slice have, bool has)
{
	struct slice op = json_get_str(e, "operator");
	struct json *values = json_get(e, "values");
	if (slice_is(op, "In"))
		return has && is_among(values, have);
	if (slice_is(op, "NotIn"))
		return !has || !is_among(values, have);
	if (slice_is(op, "Exists"))
		return has;
	if (slice_is(op, "DoesNotExist"))
		return !has;
	int64_t mine, limit;
	if (!has || !slice_to_i64(have, &mine) || !slice_to_i64(json_str(json_at(values, 0)), &limit))
		return false;
	return slice_is(op, "Gt") ? mine > limit : slice_is(op, "Lt") && mine < limit;
}

bool node_selector_term_matches(const struct json *term, struct slice name, struct slice labels)
{
	struct json *expressions = json_get(term, "matchExpressions"), *fields = json_get(term, "matchFields");
	if (!(expressions && expressions->first) && !(fields && fields->first))
		return false;
	JSON_FOREACH (e, expressions) {
		bool has;
		struct slice have = label_of(labels, json_get_str(e, "key"), &has);
		if (!expression_matches(e, have, has))
			return false;
	}
	JSON_FOREACH (e, fields)
		if (!slice_is(json_get_str(e, "key"), "metadata.name") || !expression_matches(e, name, true))
			return false;
	return true;
}

bool node_selector_terms_match(const struct json *terms, struct slice name, struct slice labels)
{
	JSON_FOREACH (term, terms)
		if (node_selector_term_matches(term, name, labels))
			return true;
	return false;
}

bool node_selector_labels_match(const struct json *selector, struct slice labels)
{
	JSON_FOREACH (it, selector) {
		bool has;
		struct slice have = label_of(labels, it->key, &has);
		if (!has || !slice_eq(have, json_str(it)))
			return false;
	}
	return true;
}

bool toleration_covers(const struct json *toleration, struct slice key, struct slice value, struct slice effect)
{
	struct slice effects = json_get_str(toleration, "effect"), keys = json_get_str(toleration, "key");
	struct slice op = json_get_str(toleration, "operator");
	if (effects.len && !slice_eq(effects, effect))
		return false;
	if (keys.len && !slice_eq(keys, key))
		return false;
	if (slice_is(op, "Exists"))
		return true;
	return (!op.len || slice_is(op, "Equal")) && slice_eq(json_get_str(toleration, "value"), value);
}
