/* The autoscaling group. Autoscalers are stored as v2; v1 has one number for CPU, and what it cannot say is refused,
 * rather than lost on the next write. */
#include "api/machinery/rules/fill.h"
#include "api/machinery/rules/groups.h"

#include <string.h>

static void autoscaler_defaults(struct arena *a, struct json *o)
{
	default_int(a, json_need(a, o, "spec", JSON_OBJECT), "minReplicas", 1);
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
        {.kind = "HorizontalPodAutoscaler", .defaults = autoscaler_defaults, .convert = autoscaler_convert},
        {0},
};
