/* Resizing a pod in place, through its subresource: what its containers ask for and may use of CPU and memory may
 * change while it runs, and nothing else of it. How a container takes it says its resizePolicy. Served where the
 * feature InPlacePodVerticalScaling is on (schema/resources.h). Upstream: podResizeStrategy, ValidatePodResize. */
#include "api/machinery/rules/pod/pod.h"
#include "api/machinery/rules/pod/pod_parts_int.h"

#include "api/machinery/codec/quantity.h"
#include "api/machinery/rules/checks.h"
#include "base/check.h"

static const char *const parts[] = {"requests", "limits"};

/* ---- resizePolicy ---- */

void validate_resize_policy(
        struct field_errors *e, const char *here, const struct json *c, bool is_init, struct slice restart_policy)
{
	struct name_set named = {MAP_INIT};
	const struct json *list = json_get(c, "resizePolicy");
	int i = 0;
	if (is_init && list && list->first)
		bad_forbidden(e, at(e, "%s.resizePolicy", here), "must not be set for init containers");
	JSON_FOREACH (it, list) {
		const char *field = at(e, "%s.resizePolicy[%d]", here, i++);
		struct slice name = json_get_str(it, "resourceName"), policy = json_get_str(it, "restartPolicy");
		check_choice(e, at(e, "%s.resourceName", field), name, "cpu,memory", true);
		check_choice(e, at(e, "%s.restartPolicy", field), policy, "NotRequired,RestartContainer", true);
		if (name.len && !name_set_add(&named, name))
			bad_duplicate(e, field, name);
		if (slice_is(restart_policy, "Never") && slice_is(policy, "RestartContainer"))
			bad_value(e, at(e, "%s.restartPolicy", field), policy,
			        "must be 'NotRequired' when `restartPolicy` is 'Never'");
	}
	name_set_release(&named);
}

/* ---- the write ---- */

/* The order and the number of containers are the client's still: they are looked at later. */
static bool take_resources(struct arena *a, struct json *spec, const struct json *sent)
{
	static const char *const fields[] = {"resources", "resizePolicy"};
	bool is_changed = false;
	JSON_FOREACH (c, json_get(spec, "containers")) {
		const struct json *from = pod_named(json_get(sent, "containers"), json_get_str(c, "name"));
		for (size_t i = 0; from && i < COUNT_OF(fields); i++) {
			const struct json *now = json_get(from, fields[i]), *before = json_get(c, fields[i]);
			if ((now && before && json_equal(now, before)) || (!now && !before))
				continue;
			is_changed = is_changed || i == 0;
			if (now)
				json_set(a, c, fields[i], json_copy(a, now));
			else
				json_del(c, fields[i]);
		}
	}
	return is_changed;
}

void pod_prepare_resize(struct arena *a, struct json *object, const struct json *old)
{
	struct json *spec = json_copy(a, json_get(old, "spec")), *meta = json_copy(a, json_get(old, "metadata"));
	pod_spec_defaults(a, json_get(object, "spec")); /* what the client left out is no change */
	bool is_changed = take_resources(a, spec, json_get(object, "spec"));
	json_del(meta, "resourceVersion"); /* these two are written anew */
	json_del(meta, "managedFields");
	json_set(a, object, "spec", spec);
	json_set(a, object, "metadata", meta);
	if (is_changed)
		json_set_cstr(a, json_need(a, object, "status", JSON_OBJECT), "resize", "Proposed");
}

/* ---- its validation ---- */

static void check_none_removed(
        struct field_errors *e, const char *here, const struct json *now, const struct json *before, const char *part)
{
	JSON_FOREACH (it, json_get(before, part))
		if (!json_get_slice(json_get(now, part), it->key)) {
			bad_forbidden(
			        e, at(e, "%s.resources.%s", here, part), at(e, "resource %s cannot be removed", part));
			return;
		}
}

/* The container as it would be if CPU and memory had not changed. */
static struct json *without_change(struct arena *a, const struct json *now, const struct json *before)
{
	static const char *const names[] = {"cpu", "memory"};
	struct json *masked = json_copy(a, now);
	for (size_t i = 0; i < COUNT_OF(parts); i++)
		for (size_t k = 0; k < COUNT_OF(names); k++) {
			struct json *list = json_path(masked, "resources", parts[i], NULL),
			            *was = json_path(before, "resources", parts[i], names[k], NULL);
			if (was)
				json_set(a,
				        json_need(a, json_need(a, masked, "resources", JSON_OBJECT), parts[i],
				                JSON_OBJECT),
				        names[k], json_copy(a, was));
			else
				json_del(list, names[k]);
			list = json_path(masked, "resources", parts[i], NULL);
			if (list && !list->first && !json_path(before, "resources", parts[i], NULL))
				json_del(json_get(masked, "resources"), parts[i]);
		}
	return masked;
}

/* A node says so by what it tells of a container that runs; before one runs nobody knows. */
static bool node_can(const struct json *old)
{
	JSON_FOREACH (it, json_path(old, "status", "containerStatuses", NULL))
		if (json_path(it, "state", "running", NULL))
			return json_get(it, "resources") != NULL;
	return true;
}

void validate_pod_resize(struct field_errors *e, const struct json *object, const struct json *old)
{
	const struct json *spec = json_get(object, "spec"), *was = json_get(old, "spec");
	const struct json *before = json_get(was, "containers") ? json_get(was, "containers")->first : NULL;
	struct pod_volumes volumes = POD_VOLUMES_INIT;
	const char *qos = pod_qos_class(spec);
	int i = 0;
	if (json_equal(json_get(spec, "containers"), json_get(was, "containers")))
		return;
	if (json_get(json_path(old, "metadata", "annotations", NULL), "kubernetes.io/config.mirror")) {
		bad_forbidden(e, "", "static pods cannot be resized");
		return;
	}
	if (strcmp(qos, pod_qos_class(was)) != 0)
		bad_value(e, "spec", json_str(json_path(object, "status", "qosClass", NULL)),
		        "Pod QOS Class may not change as a result of resizing");
	if (!node_can(old))
		bad_forbidden(e, "spec", "Pod running on node without support for resize");
	pod_volumes_add(&volumes, json_get(spec, "volumes"));
	bool is_other = false;
	JSON_FOREACH (c, json_get(spec, "containers")) {
		const char *here = at(e, "spec.containers[%d]", i++);
		validate_container(e, here, c, &volumes);
		validate_resize_policy(e, here, c, false, json_get_str(spec, "restartPolicy"));
		for (size_t k = 0; k < COUNT_OF(parts); k++)
			check_none_removed(e, here, json_get(c, "resources"), json_get(before, "resources"), parts[k]);
		is_other = is_other || !json_equal(without_change(e->arena, c, before), before);
		before = before->next;
	}
	if (is_other && !e->count)
		bad_forbidden(e, "spec", "only cpu and memory resources are mutable");
	pod_volumes_release(&volumes);
}
