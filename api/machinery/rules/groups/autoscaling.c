/* The autoscaling group. Autoscalers are stored as v2; v1 has one number for CPU, and what it cannot say is refused,
 * rather than lost on the next write. */
#include "api/machinery/codec/quantity.h"
#include "api/machinery/rules/checks.h"
#include "api/machinery/rules/checks_resource.h"
#include "api/machinery/rules/checks_value.h"
#include "api/machinery/rules/fill.h"
#include "api/machinery/rules/groups.h"
#include "api/machinery/table/printers.h"
#include "base/check.h"

#include <string.h>

enum { DEFAULT_CPU_PERCENT = 80, WINDOW_S_MAX = 3600, PERIOD_S_MAX = 1800 };

/* ---- what is absent ---- */

static void default_policy(struct arena *a, struct json *list, const char *type, int64_t value)
{
	struct json *p = json_new(a, JSON_OBJECT);
	json_set_cstr(a, p, "type", type);
	json_set_int(a, p, "value", value);
	json_set_int(a, p, "periodSeconds", 15);
	json_append(list, p);
}

/* The window for scaling down is the controller's to say. */
static void default_rules(struct arena *a, struct json *behavior, const char *member, bool is_up)
{
	struct json *rules = json_need(a, behavior, member, JSON_OBJECT), *policies;
	if (is_up)
		default_int(a, rules, "stabilizationWindowSeconds", 0);
	default_str(a, rules, "selectPolicy", "Max");
	if (json_get(rules, "policies"))
		return;
	policies = json_need(a, rules, "policies", JSON_ARRAY);
	if (is_up)
		default_policy(a, policies, "Pods", 4);
	default_policy(a, policies, "Percent", 100);
}

static void default_metrics(struct arena *a, struct json *spec)
{
	struct json *list = json_need(a, spec, "metrics", JSON_ARRAY), *m;
	if (list->count)
		return;
	json_append(list, m = json_new(a, JSON_OBJECT));
	json_set_cstr(a, m, "type", "Resource");
	m = json_need(a, m, "resource", JSON_OBJECT);
	json_set_cstr(a, m, "name", "cpu");
	m = json_need(a, m, "target", JSON_OBJECT);
	json_set_cstr(a, m, "type", "Utilization");
	json_set_int(a, m, "averageUtilization", DEFAULT_CPU_PERCENT);
}

static void autoscaler_defaults(struct arena *a, struct json *o)
{
	struct json *spec = json_need(a, o, "spec", JSON_OBJECT), *behavior = json_get(spec, "behavior");
	default_int(a, spec, "minReplicas", 1);
	if (!slice_is(json_get_str(o, "apiVersion"), "autoscaling/v2"))
		return;
	default_metrics(a, spec);
	if (!json_is(behavior, JSON_OBJECT))
		return;
	default_rules(a, behavior, "scaleUp", true);
	default_rules(a, behavior, "scaleDown", false);
}

/* ---- what is wrong ---- */

static void check_least(
        struct field_errors *e, const char *field, const struct json *v, int64_t least, const char *detail)
{
	if (v && json_int(v, least) < least)
		bad_number(e, field, json_int(v, 0), detail);
}

static void check_most(
        struct field_errors *e, const char *field, const struct json *v, int64_t most, const char *detail)
{
	if (v && json_int(v, 0) > most)
		bad_number(e, field, json_int(v, 0), detail);
}

/* Names that become a segment of a path where they are asked for. */
static void check_segment(struct field_errors *e, const char *field, const struct json *v, const char *detail)
{
	struct slice name = json_str(v);
	const char *bad = check_path_segment(name);
	if (!name.len)
		bad_required(e, field, detail);
	else if (bad)
		bad_value(e, field, name, bad);
}

static void check_reference(struct field_errors *e, const char *field, const struct json *ref)
{
	check_segment(e, at(e, "%s.kind", field), json_get(ref, "kind"), "");
	check_segment(e, at(e, "%s.name", field), json_get(ref, "name"), "");
}

/* ---- metrics ---- */

static void check_amount(struct field_errors *e, const char *field, const struct json *v)
{
	if (v && quantity_json_milli(v) <= 0)
		bad_value(e, field, json_str(v), "must be positive");
}

static void check_target(struct field_errors *e, const char *field, const struct json *target)
{
	struct slice type = json_get_str(target, "type");
	static const char *const types[] = {"Utilization", "Value", "AverageValue"};
	if (!type.len)
		bad_required(e, at(e, "%s.type", field), "must specify a metric target type");
	if (!slice_is_any(type, types, COUNT_OF(types)))
		bad_value(e, at(e, "%s.type", field), type, "must be either Utilization, Value, or AverageValue");
	check_amount(e, at(e, "%s.value", field), json_get(target, "value"));
	check_amount(e, at(e, "%s.averageValue", field), json_get(target, "averageValue"));
	check_least(e, at(e, "%s.averageUtilization", field), json_get(target, "averageUtilization"), 1,
	        "must be greater than 0");
}

/* What a metric about a resource of pods is measured by. */
static void check_utilization(struct field_errors *e, const char *field, const struct json *target)
{
	const struct json *percent = json_get(target, "averageUtilization"),
	                  *average = json_get(target, "averageValue");
	check_target(e, field, target);
	if (!percent && !average)
		bad_required(e, at(e, "%s.averageUtilization", field),
		        "must set either a target raw value or a target utilization");
	if (percent && average)
		bad_forbidden(e, at(e, "%s.averageValue", field),
		        "may not set both a target raw value and a target utilization");
}

static void check_identifier(struct field_errors *e, const char *field, const struct json *source)
{
	check_segment(e, at(e, "%s.metric.name", field), json_path(source, "metric", "name", NULL),
	        "must specify a metric name");
}

static void check_object_source(struct field_errors *e, const char *field, const struct json *source)
{
	const struct json *target = json_get(source, "target");
	check_reference(e, at(e, "%s.describedObject", field), json_get(source, "describedObject"));
	check_identifier(e, field, source);
	check_target(e, at(e, "%s.target", field), target);
	if (!json_get(target, "value") && !json_get(target, "averageValue"))
		bad_required(
		        e, at(e, "%s.target.averageValue", field), "must set either a target value or averageValue");
}

static void check_external_source(struct field_errors *e, const char *field, const struct json *source)
{
	const struct json *target = json_get(source, "target"), *value = json_get(target, "value"),
	                  *average = json_get(target, "averageValue");
	check_identifier(e, field, source);
	check_target(e, at(e, "%s.target", field), target);
	if (!value && !average)
		bad_required(e, at(e, "%s.target.averageValue", field),
		        "must set either a target value for metric or a per-pod target");
	if (value && average)
		bad_forbidden(e, at(e, "%s.target.value", field),
		        "may not set both a target value for metric and a per-pod target");
}

static void check_pods_source(struct field_errors *e, const char *field, const struct json *source)
{
	const struct json *target = json_get(source, "target");
	check_identifier(e, field, source);
	check_target(e, at(e, "%s.target", field), target);
	if (!json_get(target, "averageValue"))
		bad_required(e, at(e, "%s.target.averageValue", field), "must specify a positive target averageValue");
}

static void check_resource_source(struct field_errors *e, const char *field, const struct json *source)
{
	if (!json_get_str(source, "name").len)
		bad_required(e, at(e, "%s.name", field), "must specify a resource name");
	check_utilization(e, at(e, "%s.target", field), json_get(source, "target"));
}

static void check_container_source(struct field_errors *e, const char *field, const struct json *source)
{
	struct slice name = json_get_str(source, "name"), container = json_get_str(source, "container");
	const char *bad = validate_dns1123_label(container);
	if (!name.len)
		bad_required(e, at(e, "%s.name", field), "must specify a resource name");
	else
		check_container_resource_name(e, at(e, "%s.name", field), name);
	if (!container.len)
		bad_required(e, at(e, "%s.container", field), "must specify a container");
	else if (bad)
		bad_value(e, at(e, "%s.container", field), container, bad);
	check_utilization(e, at(e, "%s.target", field), json_get(source, "target"));
}

/* In upstream's order: of several sources only the first is looked into. */
static const struct {
	const char *type, *member;
	void (*check)(struct field_errors *e, const char *field, const struct json *source);
} sources[] = {{"Object", "object", check_object_source}, {"External", "external", check_external_source},
        {"Pods", "pods", check_pods_source}, {"Resource", "resource", check_resource_source},
        {"ContainerResource", "containerResource", check_container_source}};

static void check_metric(struct field_errors *e, const char *field, const struct json *m)
{
	struct slice type = json_get_str(m, "type");
	size_t present = 0;
	if (!type.len)
		bad_required(e, at(e, "%s.type", field), "must specify a metric source type");
	for (size_t i = 0; i < COUNT_OF(sources); i++) {
		const struct json *source = json_get(m, sources[i].member);
		if (source && !present++)
			sources[i].check(e, at(e, "%s.%s", field, sources[i].member), source);
	}
	bool is_known = false;
	for (size_t i = 0; i < COUNT_OF(sources); i++) {
		const struct json *source = json_get(m, sources[i].member);
		bool is_meant = slice_is(type, sources[i].type);
		is_known |= is_meant;
		if (is_meant && !source)
			bad_required(e, at(e, "%s.%s", field, sources[i].member),
			        "must populate information for the given metric source");
		if (!is_meant && source && present > 1)
			bad_forbidden(e, at(e, "%s.%s", field, sources[i].member),
			        "must populate the given metric source only");
	}
	if (!is_known)
		bad_choice(e, at(e, "%s.type", field), type, "ContainerResource,External,Object,Pods,Resource");
}

static void check_metrics(struct field_errors *e, const struct json *spec)
{
	bool is_of_others = false; /* not of the pods themselves: there is something to wake up by */
	size_t i = 0;
	JSON_FOREACH (it, json_get(spec, "metrics")) {
		struct slice type = json_get_str(it, "type");
		check_metric(e, at(e, "spec.metrics[%zu]", i++), it);
		is_of_others |= slice_is(type, "Object") || slice_is(type, "External");
	}
	if (json_get_int(spec, "minReplicas", 1) == 0 && !is_of_others)
		bad_forbidden(e, "spec.metrics",
		        "must specify at least one Object or External metric to support scaling to zero replicas");
}

/* ---- behavior ---- */

static void check_rules(struct field_errors *e, const char *field, const struct json *rules)
{
	const struct json *window = json_get(rules, "stabilizationWindowSeconds"),
	                  *policies = json_get(rules, "policies");
	const char *where = at(e, "%s.stabilizationWindowSeconds", field);
	size_t i = 0;
	if (!rules)
		return;
	check_least(e, where, window, 0, "must be greater than or equal to zero");
	check_most(e, where, window, WINDOW_S_MAX, "must be less than or equal to 3600");
	if (json_get(rules, "selectPolicy"))
		check_supported(
		        e, at(e, "%s.selectPolicy", field), json_get_str(rules, "selectPolicy"), "Disabled,Max,Min");
	if (!policies || !policies->count)
		bad_required(e, at(e, "%s.policies", field), "must specify at least one Policy");
	JSON_FOREACH (it, policies) {
		const char *p = at(e, "%s.policies[%zu]", field, i++);
		check_supported(e, at(e, "%s.type", p), json_get_str(it, "type"), "Percent,Pods");
		if (json_get_int(it, "value", 0) <= 0)
			bad_number(e, at(e, "%s.value", p), json_get_int(it, "value", 0), "must be greater than zero");
		if (json_get_int(it, "periodSeconds", 0) <= 0)
			bad_number(e, at(e, "%s.periodSeconds", p), json_get_int(it, "periodSeconds", 0),
			        "must be greater than zero");
		check_most(e, at(e, "%s.periodSeconds", p), json_get(it, "periodSeconds"), PERIOD_S_MAX,
		        "must be less than or equal to 1800");
	}
}

static void validate_autoscaler(struct field_errors *e, const struct json *object, const struct json *old)
{
	const struct json *spec = json_get(object, "spec"), *behavior = json_get(spec, "behavior");
	int64_t min = json_get_int(spec, "minReplicas", 1), max = json_get_int(spec, "maxReplicas", 0);
	int64_t least = json_int(json_path(old, "spec", "minReplicas", NULL), 1) == 0 ? 0 : 1;
	check_least(e, "spec.minReplicas", json_get(spec, "minReplicas"), least,
	        at(e, "must be greater than or equal to %d", (int)least));
	if (max < 1)
		bad_number(e, "spec.maxReplicas", max, "must be greater than 0");
	if (max < min)
		bad_number(e, "spec.maxReplicas", max, "must be greater than or equal to `minReplicas`");
	check_reference(e, "spec.scaleTargetRef", json_get(spec, "scaleTargetRef"));
	/* v1's only metric, at the place that it has in v2 */
	check_least(e, "spec.metrics[0].resource.target.averageUtilization",
	        json_get(spec, "targetCPUUtilizationPercentage"), 1, "must be greater than 0");
	check_metrics(e, spec);
	check_rules(e, "spec.behavior.scaleUp", json_get(behavior, "scaleUp"));
	check_rules(e, "spec.behavior.scaleDown", json_get(behavior, "scaleDown"));
}

static void validate_autoscaler_status(struct field_errors *e, const struct json *object, const struct json *old)
{
	const struct json *status = json_get(object, "status");
	check_non_negative(e, "status.currentReplicas", json_get(status, "currentReplicas"));
	check_non_negative(e, "status.desiredReplicas", json_get(status, "desiredReplicas"));
}

/* ---- versions ---- */

static void autoscaler_to_v2(struct arena *a, struct json *object)
{
	struct json *spec = json_get(object, "spec");
	struct json *status = json_get(object, "status");
	struct json *cpu = json_get(spec, "targetCPUUtilizationPercentage");
	if (cpu) {
		int64_t percent = json_int(cpu, 0);
		json_del(spec, "targetCPUUtilizationPercentage");
		struct json *metric = json_new(a, JSON_OBJECT);
		json_set_cstr(a, metric, "type", "Resource");
		struct json *resource = json_need(a, metric, "resource", JSON_OBJECT);
		json_set_cstr(a, resource, "name", "cpu");
		struct json *target = json_need(a, resource, "target", JSON_OBJECT);
		json_set_cstr(a, target, "type", "Utilization");
		json_set_int(a, target, "averageUtilization", percent);
		json_append(json_need(a, spec, "metrics", JSON_ARRAY), metric);
	}
	json_del(status, "currentCPUUtilizationPercentage");
}

/* The percentage of a metric that v1 can say; -1 when it can't. */
static int64_t cpu_percent(const struct json *metric, const char *where)
{
	const struct json *resource = json_get(metric, "resource");
	if (!slice_is(json_get_str(metric, "type"), "Resource") || !slice_is(json_get_str(resource, "name"), "cpu"))
		return -1;
	return json_get_int(json_get(resource, where), "averageUtilization", -1);
}

static int autoscaler_to_v1(struct arena *a, struct json *object, struct err *err)
{
	struct json *spec = json_get(object, "spec");
	struct json *status = json_get(object, "status");
	struct json *metrics = json_get(spec, "metrics");
	int64_t percent = metrics && metrics->count == 1 ? cpu_percent(metrics->first, "target") : -1;
	if ((json_is(metrics, JSON_ARRAY) && metrics->count && percent < 0) || json_get(spec, "behavior"))
		return err_set(err, ERR_UNIMPLEMENTED,
		        "horizontalpodautoscaler \"%.*s\" uses metrics or behavior that autoscaling/v1 cannot express: "
		        "use autoscaling/v2",
		        SLICE_FMT(json_get_str(json_get(object, "metadata"), "name")));
	if (metrics) {
		json_del(spec, "metrics");
		if (percent >= 0)
			json_set_int(a, spec, "targetCPUUtilizationPercentage", percent);
	}
	struct json *current = json_get(status, "currentMetrics");
	int64_t now = current && current->first ? cpu_percent(current->first, "current") : -1;
	json_del(status, "currentMetrics");
	json_del(status, "conditions");
	if (now >= 0)
		json_set_int(a, status, "currentCPUUtilizationPercentage", now);
	return 0;
}

static int autoscaler_convert(struct arena *a, struct json *object, const struct resource *to, struct err *err)
{
	if (strcmp(to->version, "v1") == 0)
		return autoscaler_to_v1(a, object, err);
	autoscaler_to_v2(a, object);
	return 0;
}

const struct kind_ops kinds_autoscaling[] = {
        {.kind = "HorizontalPodAutoscaler",
                .defaults = autoscaler_defaults,
                .validate = validate_autoscaler,
                .validate_part = validate_autoscaler_status,
                .convert = autoscaler_convert,
                .columns = "Name,Reference,Targets,MinPods,MaxPods:integer,Replicas:integer,Age",
                .cells = table_autoscaler},
        {0},
};
