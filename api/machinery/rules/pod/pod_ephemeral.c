/* Ephemeral containers (`kubectl debug`): what may be added to a pod that runs. They are added and never changed or
 * taken away, have no part in what the pod promises (no ports, probes, hooks, resources), and may share the processes
 * of one other container. Upstream: validateEphemeralContainers, ValidatePodEphemeralContainersUpdate. */
#include "api/machinery/rules/pod/pod.h"
#include "api/machinery/rules/pod/pod_parts_int.h"

#include "api/machinery/rules/checks.h"
#include "base/check.h"

static const char not_for_them[] = "cannot be set for an Ephemeral Container";

static bool is_given(const struct json *v)
{
	bool is_empty = (json_is(v, JSON_OBJECT) || json_is(v, JSON_ARRAY)) && !v->first;
	return v && !json_is(v, JSON_NULL) && !is_empty;
}

static void check_forbidden(struct field_errors *e, const char *here, const struct json *c)
{
	static const char *const fields[] = {"ports", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle",
	        "resources", "resizePolicy", "restartPolicy"};
	int i = 0;
	for (size_t k = 0; k < COUNT_OF(fields); k++)
		if (is_given(json_get(c, fields[k])))
			bad_forbidden(e, at(e, "%s.%s", here, fields[k]), not_for_them);
	JSON_FOREACH (m, json_get(c, "volumeMounts")) {
		const char *mount = at(e, "%s.volumeMounts[%d]", here, i++);
		if (json_get_str(m, "subPath").len)
			bad_forbidden(e, at(e, "%s.subPath", mount), not_for_them);
		if (json_get_str(m, "subPathExpr").len)
			bad_forbidden(e, at(e, "%s.subPathExpr", mount), not_for_them);
	}
}

static void add_names(struct name_set *names, const struct json *list)
{
	JSON_FOREACH (it, list)
		name_set_add(names, json_get_str(it, "name"));
}

static void check_list(struct field_errors *e, const struct json *spec)
{
	struct name_set names = {MAP_INIT}, targets = {MAP_INIT};
	struct pod_volumes volumes = POD_VOLUMES_INIT;
	int i = 0;
	static const char *const lists[] = {"containers", "initContainers"};
	for (size_t k = 0; k < COUNT_OF(lists); k++) {
		add_names(&names, json_get(spec, lists[k]));
		add_names(&targets, json_get(spec, lists[k]));
	}
	pod_volumes_add(&volumes, json_get(spec, "volumes"));
	JSON_FOREACH (c, json_get(spec, "ephemeralContainers")) {
		const char *here = at(e, "spec.ephemeralContainers[%d]", i++);
		struct slice name = json_get_str(c, "name"), target = json_get_str(c, "targetContainerName");
		validate_container(e, here, c, &volumes);
		if (name.len && !name_set_add(&names, name))
			bad_duplicate(e, at(e, "%s.name", here), name);
		if (target.len && !name_set_has(&targets, target))
			bad_not_found(e, at(e, "%s.targetContainerName", here), target);
		check_forbidden(e, here, c);
	}
	name_set_release(&names);
	name_set_release(&targets);
	pod_volumes_release(&volumes);
}

static void check_kept(struct field_errors *e, const struct json *now, const struct json *before)
{
	JSON_FOREACH (it, before) {
		struct slice name = json_get_str(it, "name");
		const struct json *kept = pod_named(now, name);
		if (!kept || !json_equal(kept, it))
			bad_forbidden(e, "spec.ephemeralContainers",
			        at(e, "existing ephemeral containers \"%.*s\" may not be %s", SLICE_FMT(name),
			                kept ? "changed" : "removed"));
	}
}

void validate_pod_part(struct field_errors *e, const struct json *object, const struct json *old)
{
	const struct json *spec = json_get(object, "spec"), *now = json_get(spec, "ephemeralContainers"),
	                  *before = json_path(old, "spec", "ephemeralContainers", NULL);
	if (old) {
		validate_pod_resize(e, object, old);
		validate_pod_status(e, object, old);
	}
	if (!old || (!is_given(now) && !is_given(before)) || (now && before && json_equal(now, before)))
		return;
	if (json_get(json_path(old, "metadata", "annotations", NULL), "kubernetes.io/config.mirror")) {
		bad_forbidden(e, "", "static pods do not support ephemeral containers");
		return;
	}
	check_list(e, spec);
	check_kept(e, now, before);
}
