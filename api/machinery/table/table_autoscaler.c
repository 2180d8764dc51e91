/* Horizontal pod autoscalers: what is used and what is aimed at, of the first two metrics. */
#include "api/machinery/table/printers.h"

enum { METRICS_SHOWN = 2 };

static const char unknown[] = "<unknown>";

static const char *text_of(struct arena *a, const struct json *v)
{
	return v ? arena_printf(a, "%.*s", SLICE_FMT(v->text)) : unknown;
}

/* "cpu: 20%/50%": of a Resource or of a container's. */
static const char *resource_metric(struct arena *a, const struct json *spec, const struct json *now)
{
	const struct json *target = json_get(spec, "target"), *current = json_get(now, "current");
	const char *name = json_cstr(a, json_get(spec, "name"));
	const struct json *percent = json_get(target, "averageUtilization"),
	                  *used = json_get(current, "averageUtilization");
	if (json_get(target, "averageValue"))
		return arena_printf(a, "%s: %s/%s", name, text_of(a, json_get(current, "averageValue")),
		        text_of(a, json_get(target, "averageValue")));
	return arena_printf(a, "%s: %s%s/%s%s", name, text_of(a, used), used ? "%" : "",
	        percent ? text_of(a, percent) : "<auto>", percent ? "%" : "");
}

static const char *other_metric(struct arena *a, const struct json *spec, const struct json *now, bool marks_average)
{
	const struct json *target = json_get(spec, "target"), *current = json_get(now, "current");
	bool is_average = json_get(target, "averageValue");
	const char *member = is_average ? "averageValue" : "value";
	return arena_printf(a, "%s/%s%s", text_of(a, json_get(current, member)), text_of(a, json_get(target, member)),
	        is_average && marks_average ? " (avg)" : "");
}

static const char *metric(struct arena *a, const struct json *spec, const struct json *status)
{
	struct slice type = json_get_str(spec, "type");
	if (slice_is(type, "Resource"))
		return resource_metric(a, json_get(spec, "resource"), json_get(status, "resource"));
	if (slice_is(type, "ContainerResource"))
		return resource_metric(a, json_get(spec, "containerResource"), json_get(status, "containerResource"));
	if (slice_is(type, "Pods"))
		return other_metric(a, json_get(spec, "pods"), json_get(status, "pods"), false);
	if (slice_is(type, "Object"))
		return other_metric(a, json_get(spec, "object"), json_get(status, "object"), true);
	if (slice_is(type, "External"))
		return other_metric(a, json_get(spec, "external"), json_get(status, "external"), true);
	return "<unknown type>";
}

static const char *metrics(struct arena *a, const struct json *specs, const struct json *statuses)
{
	const char *text = "";
	size_t i = 0;
	if (!specs || !specs->count)
		return "<none>";
	JSON_FOREACH (it, specs) {
		if (i < METRICS_SHOWN)
			text = arena_printf(a, "%s%s%s", text, i ? ", " : "", metric(a, it, json_at(statuses, i)));
		i++;
	}
	return i > METRICS_SHOWN ? arena_printf(a, "%s + %zu more...", text, i - METRICS_SHOWN) : text;
}

void table_autoscaler(struct cells *c)
{
	const struct json *spec = json_get(c->object, "spec"), *status = json_get(c->object, "status"),
	                  *ref = json_get(spec, "scaleTargetRef"), *min = json_get(spec, "minReplicas");
	cell_name(c);
	cell_fmt(c, "%.*s/%.*s", SLICE_FMT(json_get_str(ref, "kind")), SLICE_FMT(json_get_str(ref, "name")));
	cell_text(c, metrics(c->arena, json_get(spec, "metrics"), json_get(status, "currentMetrics")));
	cell_text(c, min ? text_of(c->arena, min) : "<unset>");
	cell_int(c, json_get_int(spec, "maxReplicas", 0));
	cell_int(c, json_get_int(status, "currentReplicas", 0));
	cell_age(c);
}
