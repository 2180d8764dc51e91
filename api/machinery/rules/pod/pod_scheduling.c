/* Where a pod may run and when: affinity, tolerations, spread, gates, preemption. Who writes a term that no node or pod
 * can ever meet should hear of it at once, not from a pod that stays pending. Upstream: pkg/apis/core/validation
 * (validateAffinity, ValidateTolerations, validateTopologySpreadConstraints and others). */
#include "api/machinery/rules/pod/pod.h"
#include "api/machinery/rules/pod/pod_parts_int.h"
#include "api/machinery/rules/checks.h"

#include "base/check.h"

static const char required[] = "requiredDuringSchedulingIgnoredDuringExecution",
                  preferred[] = "preferredDuringSchedulingIgnoredDuringExecution";

enum { WEIGHT_MAX = 100 };

static size_t count_of(const struct json *list)
{
	return list ? list->count : 0;
}

static void check_label_key(struct field_errors *e, const char *field, struct slice key)
{
	const char *bad = check_qualified_name(key);
	if (bad)
		bad_value(e, field, key, bad);
}

static void check_weight(struct field_errors *e, const char *here, const struct json *term)
{
	int64_t weight = json_get_int(term, "weight", 0);
	if (weight <= 0 || weight > WEIGHT_MAX)
		bad_number(e, at(e, "%s.weight", here), weight, "must be in the range 1-100");
}

/* ---- nodes ---- */

static void check_label_values(struct field_errors *e, const char *here, const struct json *values)
{
	int i = 0;
	JSON_FOREACH (it, values) {
		const char *bad = validate_label_value(json_str(it));
		if (bad)
			bad_value(e, at(e, "%s.values[%d]", here, i), json_str(it), bad);
		i++;
	}
}

/* A preferred term may have values that no label can have: it is met where there is one node alone. */
static void check_expression(struct field_errors *e, const char *here, const struct json *x, bool is_required)
{
	struct slice op = json_get_str(x, "operator");
	const struct json *values = json_get(x, "values");
	if (slice_is(op, "In") || slice_is(op, "NotIn")) {
		if (!count_of(values))
			bad_required(
			        e, at(e, "%s.values", here), "must be specified when `operator` is 'In' or 'NotIn'");
	} else if (slice_is(op, "Exists") || slice_is(op, "DoesNotExist")) {
		if (count_of(values))
			bad_forbidden(e, at(e, "%s.values", here),
			        "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
	} else if (slice_is(op, "Gt") || slice_is(op, "Lt")) {
		if (count_of(values) != 1)
			bad_required(e, at(e, "%s.values", here),
			        "must be specified single value when `operator` is 'Lt' or 'Gt'");
	} else {
		bad_value(e, at(e, "%s.operator", here), op, "not a valid selector operator");
	}
	check_label_key(e, at(e, "%s.key", here), json_get_str(x, "key"));
	if (is_required)
		check_label_values(e, here, values);
}

static void check_field_expression(struct field_errors *e, const char *here, const struct json *x)
{
	struct slice op = json_get_str(x, "operator"), key = json_get_str(x, "key");
	int i = 0;
	if (!slice_is(op, "In") && !slice_is(op, "NotIn"))
		bad_value(e, at(e, "%s.operator", here), op, "not a valid selector operator");
	else if (count_of(json_get(x, "values")) != 1)
		bad_required(e, at(e, "%s.values", here),
		        "must be only one value when `operator` is 'In' or 'NotIn' for node field selector");
	if (!slice_is(key, "metadata.name")) {
		bad_value(e, at(e, "%s.key", here), key, "not a valid field selector key");
		return;
	}
	JSON_FOREACH (it, json_get(x, "values")) {
		const char *bad = validate_dns1123_subdomain(json_str(it));
		if (bad)
			bad_value(e, at(e, "%s.values[%d]", here, i), json_str(it), bad);
		i++;
	}
}

static void check_node_term(struct field_errors *e, const char *here, const struct json *term, bool is_required)
{
	int i = 0, j = 0;
	JSON_FOREACH (it, json_get(term, "matchExpressions"))
		check_expression(e, at(e, "%s.matchExpressions[%d]", here, i++), it, is_required);
	JSON_FOREACH (it, json_get(term, "matchFields"))
		check_field_expression(e, at(e, "%s.matchFields[%d]", here, j++), it);
}

void validate_node_selector(struct field_errors *e, const char *field, const struct json *selector)
{
	const struct json *terms = json_get(selector, "nodeSelectorTerms");
	int i = 0;
	if (!count_of(terms))
		bad_required(e, at(e, "%s.nodeSelectorTerms", field), "must have at least one node selector term");
	JSON_FOREACH (it, terms)
		check_node_term(e, at(e, "%s.nodeSelectorTerms[%d]", field, i++), it, true);
}

void validate_node_affinity(struct field_errors *e, const char *here, const struct json *affinity)
{
	const struct json *must = json_get(affinity, required);
	int j = 0;
	if (json_is(must, JSON_OBJECT))
		validate_node_selector(e, at(e, "%s.%s", here, required), must);
	JSON_FOREACH (it, json_get(affinity, preferred)) {
		const char *one = at(e, "%s.%s[%d]", here, preferred, j++);
		check_weight(e, one, it);
		check_node_term(e, at(e, "%s.preference", one), json_get(it, "preference"), false);
	}
}

/* ---- other pods ---- */

static void check_pod_term(struct field_errors *e, const char *here, const struct json *term)
{
	struct slice topology = json_get_str(term, "topologyKey");
	check_selector(e, at(e, "%s.labelSelector", here), json_get(term, "labelSelector"));
	check_selector(e, at(e, "%s.namespaceSelector", here), json_get(term, "namespaceSelector"));
	JSON_FOREACH (it, json_get(term, "namespaces")) {
		const char *bad = validate_dns1123_label(json_str(it));
		if (bad)
			bad_value(e, at(e, "%s.namespace", here), json_str(it), bad);
	}
	if (!topology.len)
		bad_required(e, at(e, "%s.topologyKey", here), "can not be empty");
	check_label_key(e, at(e, "%s.topologyKey", here), topology);
}

static void check_pod_affinity(struct field_errors *e, const char *here, const struct json *affinity)
{
	int i = 0, j = 0;
	JSON_FOREACH (it, json_get(affinity, required))
		check_pod_term(e, at(e, "%s.%s[%d]", here, required, i++), it);
	JSON_FOREACH (it, json_get(affinity, preferred)) {
		const char *one = at(e, "%s.%s[%d]", here, preferred, j++);
		check_weight(e, one, it);
		check_pod_term(e, at(e, "%s.podAffinityTerm", one), json_get(it, "podAffinityTerm"));
	}
}

static void check_affinity(struct field_errors *e, const char *base, const struct json *affinity)
{
	if (!json_is(affinity, JSON_OBJECT))
		return;
	validate_node_affinity(e, at(e, "%s.affinity.nodeAffinity", base), json_get(affinity, "nodeAffinity"));
	check_pod_affinity(e, at(e, "%s.affinity.podAffinity", base), json_get(affinity, "podAffinity"));
	check_pod_affinity(e, at(e, "%s.affinity.podAntiAffinity", base), json_get(affinity, "podAntiAffinity"));
}

/* ---- tolerations ---- */

static void check_toleration_value(struct field_errors *e, const char *here, struct slice op, struct slice value)
{
	const char *field = at(e, "%s.operator", here), *bad = validate_label_value(value);
	if (slice_is(op, "Exists")) {
		if (value.len)
			bad_value(e, field, value, "value must be empty when `operator` is 'Exists'");
	} else if (op.len && !slice_is(op, "Equal")) {
		bad_choice(e, field, op, "Equal,Exists");
	} else if (bad) {
		bad_value(e, field, value, bad);
	}
}

void validate_tolerations(struct field_errors *e, const char *base, const struct json *spec)
{
	int i = 0;
	JSON_FOREACH (t, json_get(spec, "tolerations")) {
		const char *here = at(e, "%s.tolerations[%d]", base, i++);
		struct slice key = json_get_str(t, "key"), op = json_get_str(t, "operator"),
		             effect = json_get_str(t, "effect");
		const struct json *seconds = json_get(t, "tolerationSeconds");
		if (key.len)
			check_label_key(e, at(e, "%s.key", here), key);
		else if (!slice_is(op, "Exists"))
			bad_value(e, at(e, "%s.operator", here), op,
			        "operator must be Exists when `key` is empty, which means \"match all values and all "
			        "keys\"");
		if (json_is(seconds, JSON_NUMBER) && !slice_is(effect, "NoExecute"))
			bad_value(e, at(e, "%s.effect", here), effect,
			        "effect must be 'NoExecute' when `tolerationSeconds` is set");
		check_toleration_value(e, here, op, json_get_str(t, "value"));
		check_choice(e, at(e, "%s.effect", here), effect, "NoSchedule,PreferNoSchedule,NoExecute", false);
	}
}

/* ---- spread ---- */

static void check_min_domains(struct field_errors *e, const char *here, const struct json *c)
{
	const struct json *n = json_get(c, "minDomains");
	struct slice action = json_get_str(c, "whenUnsatisfiable");
	const char *field = at(e, "%s.minDomains", here);
	if (!json_is(n, JSON_NUMBER))
		return;
	if (json_int(n, 0) <= 0)
		bad_number(e, field, json_int(n, 0), "must be greater than 0");
	if (!slice_is(action, "DoNotSchedule"))
		bad_number(e, field, json_int(n, 0),
		        at(e, "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not %.*s",
		                SLICE_FMT(action)));
}

static void check_match_keys(struct field_errors *e, const char *here, const struct json *c)
{
	const struct json *keys = json_get(c, "matchLabelKeys"), *selector = json_get(c, "labelSelector");
	int i = 0;
	if (count_of(keys) && !json_is(selector, JSON_OBJECT))
		bad_forbidden(
		        e, at(e, "%s.matchLabelKeys", here), "must not be specified when labelSelector is not set");
	JSON_FOREACH (it, keys) {
		const char *field = at(e, "%s.matchLabelKeys[%d]", here, i++);
		bool taken = json_get_slice(json_get(selector, "matchLabels"), json_str(it)) != NULL;
		check_label_key(e, field, json_str(it));
		JSON_FOREACH (x, json_get(selector, "matchExpressions"))
			taken = taken || slice_eq(json_get_str(x, "key"), json_str(it));
		if (taken)
			bad_value(e, field, json_str(it), "exists in both matchLabelKeys and labelSelector");
	}
}

static void check_spread_constraint(
        struct field_errors *e, const char *here, const struct json *c, struct name_set *pairs)
{
	struct slice key = json_get_str(c, "topologyKey"), action = json_get_str(c, "whenUnsatisfiable");
	const char *pair = at(e, "{%.*s, %.*s}", SLICE_FMT(key), SLICE_FMT(action));
	int64_t skew = json_get_int(c, "maxSkew", 0);
	if (skew <= 0)
		bad_number(e, at(e, "%s.maxSkew", here), skew, "must be greater than zero");
	if (!key.len)
		bad_required(e, at(e, "%s.topologyKey", here), "can not be empty");
	else
		check_label_key(e, at(e, "%s.topologyKey", here), key);
	if (!slice_is(action, "DoNotSchedule") && !slice_is(action, "ScheduleAnyway"))
		bad_choice(e, at(e, "%s.whenUnsatisfiable", here), action, "DoNotSchedule,ScheduleAnyway");
	if (!name_set_add(pairs, slice_of(pair)))
		bad_duplicate(e, at(e, "%s.{topologyKey, whenUnsatisfiable}", here), slice_of(pair));
	check_min_domains(e, here, c);
	check_choice(
	        e, at(e, "%s.nodeAffinityPolicy", here), json_get_str(c, "nodeAffinityPolicy"), "Honor,Ignore", false);
	check_choice(e, at(e, "%s.nodeTaintsPolicy", here), json_get_str(c, "nodeTaintsPolicy"), "Honor,Ignore", false);
	check_match_keys(e, here, c);
	check_selector(e, at(e, "%s.labelSelector", here), json_get(c, "labelSelector"));
}

static void check_spread(struct field_errors *e, const char *base, const struct json *spec)
{
	struct name_set pairs = {MAP_INIT};
	int i = 0;
	JSON_FOREACH (it, json_get(spec, "topologySpreadConstraints"))
		check_spread_constraint(e, at(e, "%s.topologySpreadConstraints[%d]", base, i++), it, &pairs);
	name_set_release(&pairs);
}

/* ---- gates ---- */

static void check_gates(struct field_errors *e, const char *base, const struct json *spec)
{
	struct name_set names = {MAP_INIT};
	int i = 0, j = 0;
	JSON_FOREACH (it, json_get(spec, "readinessGates"))
		check_label_key(
		        e, at(e, "%s.readinessGates[%d].conditionType", base, i++), json_get_str(it, "conditionType"));
	JSON_FOREACH (it, json_get(spec, "schedulingGates")) {
		const char *here = at(e, "%s.schedulingGates[%d]", base, j++);
		struct slice name = json_get_str(it, "name");
		check_label_key(e, here, name);
		if (!name_set_add(&names, name))
			bad_duplicate(e, here, name);
	}
	name_set_release(&names);
}

void validate_pod_scheduling(struct field_errors *e, const char *field, const struct json *spec)
{
	check_affinity(e, field, json_get(spec, "affinity"));
	validate_tolerations(e, field, spec);
	check_spread(e, field, spec);
	check_gates(e, field, spec);
	check_choice(e, at(e, "%s.preemptionPolicy", field), json_get_str(spec, "preemptionPolicy"),
	        "PreemptLowerPriority,Never", false);
}
