/* Validation of pods and pod templates (upstream: pkg/apis/core/validation). See validate.h. */
#include "api/machinery/rules/pod/pod.h"
#include "api/machinery/rules/pod/pod_parts_int.h"

#include "base/check.h"

/* ---- containers ---- */

const struct json *pod_named(const struct json *list, struct slice name)
{
	JSON_FOREACH (it, list)
		if (slice_eq(json_get_str(it, "name"), name))
			return it;
	return NULL;
}

static void check_ports(struct field_errors *e, const char *base, const struct json *container)
{
	struct name_set names = {MAP_INIT};
	int i = 0;
	JSON_FOREACH (p, json_get(container, "ports")) {
		struct slice name = json_get_str(p, "name");
		const char *here = at(e, "%s.ports[%d]", base, i++);
		if (!json_get(p, "containerPort") || !json_get_int(p, "containerPort", 0))
			bad_required(e, at(e, "%s.containerPort", here), "");
		else
			check_port(e, at(e, "%s.containerPort", here), json_get_int(p, "containerPort", 0));
		if (json_get_int(p, "hostPort", 0))
			check_port(e, at(e, "%s.hostPort", here), json_get_int(p, "hostPort", 0));
		check_choice(e, at(e, "%s.protocol", here), json_get_str(p, "protocol"), "SCTP,TCP,UDP", true);
		if (name.len && !name_set_add(&names, name))
			bad_duplicate(e, at(e, "%s.name", here), name);
	}
	name_set_release(&names);
}

/* One port of the host for one container. Init containers run one by one, so each is looked at alone. */
static void take_host_ports(
        struct field_errors *e, const char *base, const struct json *container, struct name_set *taken)
{
	int i = 0;
	JSON_FOREACH (p, json_get(container, "ports")) {
		int64_t port = json_get_int(p, "hostPort", 0);
		const char *text = port ? at(e, "%.*s/%.*s/%lld", SLICE_FMT(json_get_str(p, "protocol")),
		                                  SLICE_FMT(json_get_str(p, "hostIP")), (long long)port)
		                        : NULL;
		if (text && !name_set_add(taken, slice_of(text)))
			bad_duplicate(e, at(e, "%s.ports[%d].hostPort", base, i), slice_of(text));
		i++;
	}
}

void validate_container(
        struct field_errors *e, const char *here, const struct json *c, const struct pod_volumes *volumes)
{
	struct slice name = json_get_str(c, "name"), image = json_get_str(c, "image");
	const char *bad = name.len ? validate_dns1123_label(name) : NULL;
	if (!name.len)
		bad_required(e, at(e, "%s.name", here), "");
	else if (bad)
		bad_value(e, at(e, "%s.name", here), name, bad);
	if (!image.len)
		bad_required(e, at(e, "%s.image", here), "");
	else if (slice_trim(image).len != image.len)
		bad_value(e, at(e, "%s.image", here), image, "must not have leading or trailing whitespace");
	check_choice(e, at(e, "%s.imagePullPolicy", here), json_get_str(c, "imagePullPolicy"),
	        "Always,IfNotPresent,Never", false);
	check_choice(e, at(e, "%s.terminationMessagePolicy", here), json_get_str(c, "terminationMessagePolicy"),
	        "FallbackToLogsOnError,File", false);
	check_ports(e, here, c);
	validate_env(e, here, c);
	validate_mounts(e, here, c, volumes);
	validate_resources(e, at(e, "%s.resources", here), json_get(c, "resources"));
	validate_probes(e, here, c);
	validate_container_context(e, here, c);
}

static void check_containers(
        struct field_errors *e, const char *base, const struct json *spec, const struct pod_volumes *volumes)
{
	static const char *const lists[] = {"initContainers", "containers"};
	struct json *main_list = json_get(spec, "containers");
	struct name_set names = {MAP_INIT}, ports = {MAP_INIT};
	if (!main_list || !main_list->first)
		bad_required(e, at(e, "%s.containers", base), "");
	for (size_t k = 0; k < 2; k++) {
		int i = 0;
		JSON_FOREACH (c, json_get(spec, lists[k])) {
			struct slice name = json_get_str(c, "name");
			const char *here = at(e, "%s.%s[%d]", base, lists[k], i++);
			validate_container(e, here, c, volumes);
			validate_container_life(
			        e, here, c, k == 0, json_get_int(spec, "terminationGracePeriodSeconds", 30));
			validate_resize_policy(e, here, c, k == 0, json_get_str(spec, "restartPolicy"));
			if (name.len && !name_set_add(&names, name))
				bad_duplicate(e, at(e, "%s.name", here), name);
			take_host_ports(e, here, c, &ports);
			if (k == 0)
				name_set_release(&ports);
		}
	}
	name_set_release(&names);
	name_set_release(&ports);
}

/* ---- the rest of a spec ---- */

/* `volumes` holds the names of volumes that the spec does not list and may mount all the same. */
static void check_spec(struct field_errors *e, const char *base, const struct json *spec, struct pod_volumes *volumes)
{
	validate_volumes(e, base, json_get(spec, "volumes"));
	pod_volumes_add(volumes, json_get(spec, "volumes"));
	check_containers(e, base, spec, volumes);
	check_choice(e, at(e, "%s.restartPolicy", base), json_get_str(spec, "restartPolicy"), "Always,OnFailure,Never",
	        true);
	check_choice(e, at(e, "%s.dnsPolicy", base), json_get_str(spec, "dnsPolicy"),
	        "ClusterFirst,ClusterFirstWithHostNet,Default,None", true);
	check_labels(e, at(e, "%s.nodeSelector", base), json_get(spec, "nodeSelector"));
	validate_pod_scheduling(e, base, spec);
	struct json *deadline = json_get(spec, "activeDeadlineSeconds");
	if (deadline && (json_int(deadline, 1) < 1 || json_int(deadline, 1) > INT32_MAX))
		bad_number(e, at(e, "%s.activeDeadlineSeconds", base), json_int(deadline, 0),
		        "must be between 1 and 2147483647, inclusive");
	check_non_negative(
	        e, at(e, "%s.terminationGracePeriodSeconds", base), json_get(spec, "terminationGracePeriodSeconds"));
	validate_pod_context(e, base, spec);
	validate_pod_names(e, base, spec);
	validate_pod_os(e, base, spec);
	validate_overhead(e, base, spec);
}

static bool has_ephemeral(const struct json *spec)
{
	const struct json *list = json_get(spec, "ephemeralContainers");
	return list && list->first;
}

void validate_pod_template(struct field_errors *e, const char *field, const struct json *tmpl)
{
	struct pod_volumes volumes = POD_VOLUMES_INIT;
	const struct json *annotations = json_path(tmpl, "metadata", "annotations", NULL);
	check_labels(e, at(e, "%s.labels", field), json_path(tmpl, "metadata", "labels", NULL));
	check_annotations(e, at(e, "%s.annotations", field), annotations);
	validate_pod_annotations(e, at(e, "%s.annotations", field), annotations, json_get(tmpl, "spec"));
	check_spec(e, at(e, "%s.spec", field), json_get(tmpl, "spec"), &volumes);
	if (has_ephemeral(json_get(tmpl, "spec")))
		bad_forbidden(e, at(e, "%s.spec.ephemeralContainers", field),
		        "ephemeral containers not allowed in pod template");
	pod_volumes_release(&volumes);
}

void validate_pod(struct field_errors *e, const struct json *object, const struct json *old)
{
	struct pod_volumes volumes = POD_VOLUMES_INIT;
	const struct json *spec = json_get(object, "spec"), *gates = json_get(spec, "schedulingGates");
	validate_pod_annotations(e, "metadata.annotations", json_path(object, "metadata", "annotations", NULL), spec);
	check_spec(e, "spec", spec, &volumes);
	pod_volumes_release(&volumes);
	if (!old && gates && gates->first && json_get_str(spec, "nodeName").len)
		bad_forbidden(e, "spec.nodeName", "cannot be set until all schedulingGates have been cleared");
	if (old) {
		validate_pod_annotations_stay(e, object, old);
		validate_pod_update(e, object, old);
		return;
	}
	if (has_ephemeral(spec))
		bad_forbidden(e, "spec.ephemeralContainers", "cannot be set on create");
	validate_pod_annotations_match(e, object);
}
