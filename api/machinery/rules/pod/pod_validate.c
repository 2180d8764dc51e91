/* Validation of pods and pod templates (upstream: pkg/apis/core/validation). See validate.h. */
#include "api/machinery/rules/pod/pod.h"
#include "api/machinery/rules/checks.h"
#include "api/machinery/rules/pod/volume_sources.h"

#include "api/machinery/codec/quantity.h"
#include "base/check.h"
#include "base/ip.h"

/* ---- volumes ---- */

/* Adds the names of the volumes to `names`. */
static void check_volumes(struct field_errors *e, const char *base, const struct json *volumes, struct name_set *names)
{
	struct name_set own = {MAP_INIT};
	int i = 0;
	JSON_FOREACH (v, volumes) {
		const char *here = at(e, "%s.volumes[%d]", base, i++);
		struct slice name = json_get_str(v, "name");
		const char *bad = name.len ? validate_dns1123_label(name) : NULL;
		if (!name.len)
			bad_required(e, at(e, "%s.name", here), "");
		else if (bad)
			bad_value(e, at(e, "%s.name", here), name, bad);
		if (name.len && !name_set_add(&own, name))
			bad_duplicate(e, at(e, "%s.name", here), name);
		name_set_add(names, name);
		validate_volume_source(e, here, v);
	}
	name_set_release(&own);
}

/* It is a word about mounts that are read-only and stay inside. */
static void check_recursive(struct field_errors *e, const char *here, const struct json *m)
{
	struct slice mode = json_get_str(m, "recursiveReadOnly"), propagation = json_get_str(m, "mountPropagation");
	const char *field = at(e, "%s.recursiveReadOnly", here);
	check_choice(e, field, mode, "Disabled,Enabled,IfPossible", false);
	if (!slice_is(mode, "Enabled") && !slice_is(mode, "IfPossible"))
		return;
	if (!json_get_bool(m, "readOnly", false))
		bad_forbidden(e, field, "may only be specified when readOnly is true");
	if (propagation.len && !slice_is(propagation, "None"))
		bad_forbidden(e, field, "may only be specified when mountPropagation is None or not specified");
}

static void check_propagation(
        struct field_errors *e, const char *here, const struct json *m, const struct json *container)
{
	struct slice mode = json_get_str(m, "mountPropagation");
	const char *field = at(e, "%s.mountPropagation", here);
	check_choice(e, field, mode, "Bidirectional,HostToContainer,None", false);
	if (slice_is(mode, "Bidirectional") &&
	        !json_bool(json_path(container, "securityContext", "privileged", NULL), false))
		bad_forbidden(e, field, "Bidirectional mount propagation is available only to privileged containers");
}

/* Upstream names the list here, not the mount. */
static void check_sub_path(struct field_errors *e, const char *base, const struct json *m, const char *name)
{
	struct slice path = json_get_str(m, name);
	const char *bad = path_not_descending(path);
	if (bad)
		bad_value(e, at(e, "%s.volumeMounts.%s", base, name), path, bad);
}

static void check_mounts(
        struct field_errors *e, const char *base, const struct json *container, const struct name_set *volumes)
{
	struct name_set paths = {MAP_INIT};
	int i = 0;
	struct json *mounts = json_get(container, "volumeMounts");
	JSON_FOREACH (m, mounts) {
		const char *here = at(e, "%s.volumeMounts[%d]", base, i++);
		struct slice name = json_get_str(m, "name"), path = json_get_str(m, "mountPath");
		if (!name.len)
			bad_required(e, at(e, "%s.name", here), "");
		else if (!name_set_has(volumes, name))
			bad_not_found(e, at(e, "%s.name", here), name);
		if (!path.len)
			bad_required(e, at(e, "%s.mountPath", here), "");
		if (path.len && !name_set_add(&paths, path))
			bad_value(e, at(e, "%s.mountPath", here), path, "must be unique");
		check_sub_path(e, base, m, "subPath");
		check_sub_path(e, base, m, "subPathExpr");
		if (json_get_str(m, "subPath").len && json_get_str(m, "subPathExpr").len)
			bad_value(e, at(e, "%s.subPathExpr", here), json_get_str(m, "subPathExpr"),
			        "subPathExpr and subPath are mutually exclusive");
		check_propagation(e, here, m, container);
		check_recursive(e, here, m);
	}
	name_set_release(&paths);
}

/* ---- containers ---- */

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

static void check_resources(struct field_errors *e, const char *base, const struct json *container)
{
	struct json *limits = json_path(container, "resources", "limits", NULL),
	            *requests = json_path(container, "resources", "requests", NULL);
	struct json_index by_name;
	json_index_init(&by_name, limits);
	JSON_FOREACH (it, requests) {
		struct json *limit = json_index_get(&by_name, it->key);
		struct quantity r, l;
		if (quantity_parse(it->text, &r, NULL) != 0)
			continue;
		check_resource_amount(
		        e, at(e, "%s.resources.requests[%.*s]", base, SLICE_FMT(it->key)), it->key, it->text);
		if (limit && quantity_parse(limit->text, &l, NULL) == 0 && quantity_cmp(&r, &l) > 0)
			field_error_add(e, "FieldValueInvalid", at(e, "%s.resources.requests", base),
			        "Invalid value: \"%.*s\": must be less than or equal to %.*s limit of %.*s",
			        SLICE_FMT(it->text), SLICE_FMT(it->key), SLICE_FMT(limit->text));
	}
	json_index_release(&by_name);
	JSON_FOREACH (it, limits)
		check_resource_amount(
		        e, at(e, "%s.resources.limits[%.*s]", base, SLICE_FMT(it->key)), it->key, it->text);
}

void validate_container(struct field_errors *e, const char *here, const struct json *c, const struct name_set *volumes)
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
	check_mounts(e, here, c, volumes);
	check_resources(e, here, c);
	validate_probes(e, here, c);
	validate_container_context(e, here, c);
}

static void check_containers(
        struct field_errors *e, const char *base, const struct json *spec, const struct name_set *volumes)
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

/* What a resolver takes. */
static void check_dns(struct field_errors *e, const char *base, const struct json *spec)
{
	enum { SERVERS_MAX = 3, SEARCHES_MAX = 32 };
	const struct json *config = json_get(spec, "dnsConfig"), *servers = json_get(config, "nameservers"),
	                  *searches = json_get(config, "searches");
	int i = 0;
	if (slice_is(json_get_str(spec, "dnsPolicy"), "None") && !(servers && servers->first))
		bad_required(e, at(e, "%s.dnsConfig.nameservers", base),
		        "must provide at least one DNS nameserver when `dnsPolicy` is None");
	if (servers && servers->count > SERVERS_MAX)
		bad_number(e, at(e, "%s.dnsConfig.nameservers", base), (int64_t)servers->count,
		        "must not have more than 3 nameservers");
	if (searches && searches->count > SEARCHES_MAX)
		bad_number(e, at(e, "%s.dnsConfig.searches", base), (int64_t)searches->count,
		        "must not have more than 32 search paths");
	JSON_FOREACH (it, json_get(config, "options")) {
		if (!json_get_str(it, "name").len)
			bad_required(e, at(e, "%s.dnsConfig.options[%d]", base, i), "must not be empty");
		i++;
	}
}

static void check_host_aliases(struct field_errors *e, const char *base, const struct json *spec)
{
	int i = 0;
	JSON_FOREACH (it, json_get(spec, "hostAliases")) {
		const char *here = at(e, "%s.hostAliases[%d]", base, i++);
		struct slice address = json_get_str(it, "ip");
		struct ip ip;
		int j = 0;
		if (!ip_parse(address, &ip))
			bad_value(e, at(e, "%s.ip", here), address,
			        "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)");
		JSON_FOREACH (name, json_get(it, "hostnames")) {
			const char *bad = validate_dns1123_subdomain(json_str(name));
			if (bad)
				bad_value(e, at(e, "%s.hostnames[%d]", here, j), json_str(name), bad);
			j++;
		}
	}
}

/* Names by which the pod is known, and of what it asks for. */
static void check_names(struct field_errors *e, const char *base, const struct json *spec)
{
	static const struct {
		const char *field;
		const char *(*check)(struct slice name);
	} names[] = {
	        {"hostname", validate_dns1123_label},
	        {"subdomain", validate_dns1123_label},
	        {"serviceAccountName", validate_dns1123_subdomain},
	        {"nodeName", validate_dns1123_subdomain},
	        {"priorityClassName", validate_dns1123_subdomain},
	        {"runtimeClassName", validate_dns1123_subdomain},
	};
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		struct slice name = json_get_str(spec, names[i].field);
		const char *bad = name.len ? names[i].check(name) : NULL;
		if (bad)
			bad_value(e, at(e, "%s.%s", base, names[i].field), name, bad);
	}
}

/* `volumes` holds the names of volumes that the spec does not list and may mount all the same. */
static void check_spec(struct field_errors *e, const char *base, const struct json *spec, struct name_set *volumes)
{
	check_volumes(e, base, json_get(spec, "volumes"), volumes);
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
	check_names(e, base, spec);
	check_host_aliases(e, base, spec);
	check_dns(e, base, spec);
}

static bool has_ephemeral(const struct json *spec)
{
	const struct json *list = json_get(spec, "ephemeralContainers");
	return list && list->first;
}

void validate_pod_template(
        struct field_errors *e, const char *field, const struct json *tmpl, const struct json *claims)
{
	struct name_set volumes = {MAP_INIT};
	JSON_FOREACH (it, claims)
		name_set_add(&volumes, json_str(json_path(it, "metadata", "name", NULL)));
	check_labels(e, at(e, "%s.labels", field), json_path(tmpl, "metadata", "labels", NULL));
	check_spec(e, at(e, "%s.spec", field), json_get(tmpl, "spec"), &volumes);
	if (has_ephemeral(json_get(tmpl, "spec")))
		bad_forbidden(e, at(e, "%s.spec.ephemeralContainers", field),
		        "ephemeral containers not allowed in pod template");
	name_set_release(&volumes);
}

/* ---- updates: all of the spec but a few fields is immutable ---- */

static void take_images(struct arena *a, struct json *spec, const struct json *from, const char *list)
{
	struct json *o = json_get(from, list) ? json_get(from, list)->first : NULL;
	JSON_FOREACH (c, json_get(spec, list)) {
		if (o && json_get(o, "image"))
			json_set_str(a, c, "image", json_get_str(o, "image"));
		o = o ? o->next : NULL;
	}
}

/* What a toleration is for; only how long it lasts may change. */
static struct slice toleration_key(struct field_errors *e, const struct json *t)
{
	return slice_of(
	        at(e, "%.*s %.*s %.*s %.*s", SLICE_FMT(json_get_str(t, "key")), SLICE_FMT(json_get_str(t, "effect")),
	                SLICE_FMT(json_get_str(t, "operator")), SLICE_FMT(json_get_str(t, "value"))));
}

static void check_tolerations_kept(struct field_errors *e, const struct json *now, const struct json *before)
{
	struct name_set had = {MAP_INIT};
	bool kept = true;
	JSON_FOREACH (it, now)
		name_set_add(&had, toleration_key(e, it));
	JSON_FOREACH (it, before)
		kept = kept && name_set_has(&had, toleration_key(e, it));
	name_set_release(&had);
	if (!kept)
		bad_forbidden(
		        e, "spec.tolerations", "existing toleration can not be modified except its tolerationSeconds");
}

static void check_gates_kept(struct field_errors *e, const struct json *now, const struct json *before)
{
	struct name_set had = {MAP_INIT};
	JSON_FOREACH (it, before)
		name_set_add(&had, json_get_str(it, "name"));
	JSON_FOREACH (it, now)
		if (!name_set_has(&had, json_get_str(it, "name")))
			bad_forbidden(e, "spec.schedulingGates",
			        at(e, "only deletion is allowed, but found new scheduling gate '%.*s'",
			                SLICE_FMT(json_get_str(it, "name"))));
	name_set_release(&had);
}

static void check_deadline_change(struct field_errors *e, const struct json *now, const struct json *before)
{
	static const char field[] = "spec.activeDeadlineSeconds";
	if (before && !now)
		bad_value(e, field, SLICE("null"), "must not update from a positive integer to nil value");
	else if (before && json_int(now, 0) > json_int(before, 0))
		bad_number(e, field, json_int(now, 0), "must be less than or equal to previous value");
}

/* A grace period that was negative once may be mended to 1. */
static bool grace_is_mended(const struct json *now, const struct json *before)
{
	return json_int(before, 0) < 0 && json_int(now, 0) == 1;
}

static void validate_pod_update(struct field_errors *e, const struct json *object, const struct json *old)
{
	static const char grace[] = "terminationGracePeriodSeconds";
	struct arena *a = e->arena;
	struct json *now = json_get(object, "spec"), *before = json_get(old, "spec");
	if (!now || !before)
		return;
	check_tolerations_kept(e, json_get(now, "tolerations"), json_get(before, "tolerations"));
	check_gates_kept(e, json_get(now, "schedulingGates"), json_get(before, "schedulingGates"));
	check_deadline_change(e, json_get(now, "activeDeadlineSeconds"), json_get(before, "activeDeadlineSeconds"));
	bool mended = grace_is_mended(json_get(now, grace), json_get(before, grace));
	struct json *masked = json_copy(a, now);
	take_images(a, masked, before, "containers");
	take_images(a, masked, before, "initContainers");
	if (differs_beyond(masked, before,
	            mended ? "activeDeadlineSeconds,tolerations,schedulingGates,terminationGracePeriodSeconds"
	                   : "activeDeadlineSeconds,tolerations,schedulingGates"))
		bad_forbidden(e, "spec",
		        "pod updates may not change fields other than "
		        "`spec.containers[*].image`,`spec.initContainers[*].image`,"
		        "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing "
		        "tolerations),`spec.terminationGracePeriodSeconds` "
		        "(allow it to be set to 1 if it was previously negative)");
}

void validate_pod(struct field_errors *e, const struct json *object, const struct json *old)
{
	struct name_set volumes = {MAP_INIT};
	check_spec(e, "spec", json_get(object, "spec"), &volumes);
	name_set_release(&volumes);
	const struct json *spec = json_get(object, "spec"), *gates = json_get(spec, "schedulingGates");
	if (!old && gates && gates->first && json_get_str(spec, "nodeName").len)
		bad_forbidden(e, "spec.nodeName", "cannot be set until all schedulingGates have been cleared");
	if (old)
		validate_pod_update(e, object, old);
	else if (has_ephemeral(json_get(object, "spec")))
		bad_forbidden(e, "spec.ephemeralContainers", "cannot be set on create");
}
