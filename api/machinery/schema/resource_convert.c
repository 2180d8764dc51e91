/* Between two versions of one kind that share a storage: events (core/v1, events.k8s.io/v1) and horizontal pod
 * autoscalers (autoscaling/v1, v2).
 *
 * Events only differ in names. Autoscalers differ in metrics: v1 has one number for CPU. What v1 cannot say is refused,
 * rather than lost on the next write. */
#include "api/machinery/schema/resources.h"

#include "base/check.h"

struct rename {
	const char *core;
	const char *events;
};

static const struct rename event_renames[] = {
        {"involvedObject", "regarding"},
        {"message", "note"},
        {"reportingComponent", "reportingController"},
        {"source", "deprecatedSource"},
        {"firstTimestamp", "deprecatedFirstTimestamp"},
        {"lastTimestamp", "deprecatedLastTimestamp"},
        {"count", "deprecatedCount"},
};

static void rename_member(struct arena *a, struct json *object, const char *from, const char *to)
{
	struct json *v = json_get(object, from);
	if (!v)
		return;
	json_remove(object, v);
	json_set(a, object, to, v);
}

static void convert_event(struct arena *a, struct json *object, bool to_core)
{
	for (size_t i = 0; i < COUNT_OF(event_renames); i++) {
		const struct rename *r = &event_renames[i];
		rename_member(a, object, to_core ? r->events : r->core, to_core ? r->core : r->events);
	}
}

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

int resource_convert(
        struct arena *a, struct json *object, const struct resource *from, const struct resource *to, struct err *err)
{
	if (from == to)
		return 0;
	if (from->storage != to->storage || from->is_custom || to->is_custom)
		return err_set(err, ERR_UNIMPLEMENTED, "%s of %s cannot be converted to %s", from->plural,
		        from->api_version, to->api_version);
	if (strcmp(from->kind, "Event") == 0) {
		convert_event(a, object, *to->group == 0);
	} else if (strcmp(to->version, "v2") == 0) {
		autoscaler_to_v2(a, object);
	} else {
		int rc = autoscaler_to_v1(a, object, err);
		if (rc != 0)
			return rc;
	}
	json_set_cstr(a, object, "apiVersion", to->api_version);
	return 0;
}
