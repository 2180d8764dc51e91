/* What is told of pods and templates that are accepted. Upstream: pkg/api/pod/warnings.go. Left out as yet: paths in
 * one volume that overlap.
 *
 * `base` is what stands before "spec" in fields: "" of a pod, "spec.template." of a Deployment. */
#include "api/machinery/rules/pod/pod.h"

#include "api/machinery/rules/checks.h"
#include "api/machinery/rules/warnings.h"
#include "base/check.h"

/* ---- where it runs ---- */

static void warn_of_nodes(struct warnings *w, const char *base, const struct json *spec)
{
	const struct json *affinity = json_path(spec, "affinity", "nodeAffinity", NULL);
	int i = 0;
	JSON_FOREACH (it, json_get(spec, "nodeSelector")) {
		const char *old = old_node_label(it->key);
		if (old)
			warning_add(w, "%sspec.nodeSelector[%.*s]: %s", base, SLICE_FMT(it->key), old);
	}
	JSON_FOREACH (
	        it, json_path(affinity, "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms", NULL))
		warn_of_node_term(w,
		        arena_printf(w->arena,
		                "%sspec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution."
		                "nodeSelectorTerms[%d]",
		                base, i++),
		        it);
	i = 0;
	JSON_FOREACH (it, json_get(affinity, "preferredDuringSchedulingIgnoredDuringExecution"))
		warn_of_node_term(w,
		        arena_printf(w->arena,
		                "%sspec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[%d]."
		                "preference",
		                base, i++),
		        json_get(it, "preference"));
}

static const char no_selector[] = "a null labelSelector results in matching no pod";

static void warn_of_spread(struct warnings *w, const char *base, const struct json *spec)
{
	int i = 0;
	JSON_FOREACH (it, json_get(spec, "topologySpreadConstraints")) {
		struct slice key = json_get_str(it, "topologyKey");
		const char *old = old_node_label(key);
		if (old)
			warning_add(w, "%sspec.topologySpreadConstraints[%d].topologyKey: %.*s is %s", base, i,
			        SLICE_FMT(key), old);
		if (!json_get(it, "labelSelector"))
			warning_add(w, "%sspec.topologySpreadConstraints[%d].labelSelector: %s", base, i, no_selector);
		i++;
	}
}

static void warn_of_pod_terms(
        struct warnings *w, const char *base, const char *kind, const char *list, const struct json *affinity)
{
	bool is_weighted = *list == 'p';
	int i = 0;
	JSON_FOREACH (it, json_path(affinity, kind, list, NULL)) {
		if (!json_get(is_weighted ? json_get(it, "podAffinityTerm") : it, "labelSelector"))
			warning_add(w, "%sspec.affinity.%s.%s[%d].%slabelSelector: %s", base, kind, list, i,
			        is_weighted ? "podAffinityTerm." : "", no_selector);
		i++;
	}
}

static void warn_of_neighbours(struct warnings *w, const char *base, const struct json *spec)
{
	static const char *const kinds[] = {"podAffinity", "podAntiAffinity"};
	static const char *const terms[] = {
	        "requiredDuringSchedulingIgnoredDuringExecution", "preferredDuringSchedulingIgnoredDuringExecution"};
	const struct json *affinity = json_get(spec, "affinity");
	for (size_t k = 0; affinity && k < COUNT_OF(kinds); k++)
		for (size_t i = 0; i < COUNT_OF(terms); i++)
			warn_of_pod_terms(w, base, kinds[k], terms[i], affinity);
}

/* ---- what is old ---- */

static void warn_of_annotations(struct warnings *w, const char *base, const struct json *annotations)
{
	static const struct {
		const char *key, *message;
	} rows[] = {{"scheduler.alpha.kubernetes.io/critical-pod",
	                    "non-functional in v1.16+; use the \"priorityClassName\" field instead"},
	        {"security.alpha.kubernetes.io/sysctls", "non-functional in v1.11+; use the \"sysctls\" field instead"},
	        {"security.alpha.kubernetes.io/unsafe-sysctls",
	                "non-functional in v1.11+; use the \"sysctls\" field instead"}};
	for (size_t i = 0; annotations && i < COUNT_OF(rows); i++)
		if (json_get(annotations, rows[i].key))
			warning_add(w, "%smetadata.annotations[%s]: %s", base, rows[i].key, rows[i].message);
}

static void warn_of_volumes(struct warnings *w, const char *base, const struct json *spec)
{
	static const struct {
		const char *member, *message;
	} rows[] = {{"photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"},
	        {"gitRepo", "deprecated in v1.11"}, {"scaleIO", "deprecated in v1.16, non-functional in v1.22+"},
	        {"flocker", "deprecated in v1.22, non-functional in v1.25+"},
	        {"storageos", "deprecated in v1.22, non-functional in v1.25+"},
	        {"quobyte", "deprecated in v1.22, non-functional in v1.25+"},
	        {"glusterfs", "deprecated in v1.25, non-functional in v1.26+"},
	        {"cephfs", "deprecated in v1.28, non-functional in v1.31+"},
	        {"rbd", "deprecated in v1.28, non-functional in v1.31+"}};
	int i = 0;
	JSON_FOREACH (it, json_get(spec, "volumes")) {
		const struct json *claim = json_path(it, "ephemeral", "volumeClaimTemplate", NULL);
		for (size_t k = 0; k < COUNT_OF(rows); k++)
			if (json_get(it, rows[k].member)) /* upstream spells one field another way in its fields */
				warning_add(w, "%sspec.volumes[%d].%s: %s", base, i,
				        strcmp(rows[k].member, "storageos") == 0 ? "storageOS" : rows[k].member,
				        rows[k].message);
		if (claim)
			warn_of_claim_spec(w,
			        arena_printf(
			                w->arena, "%sspec.volumes[%d].ephemeral.volumeClaimTemplate.spec", base, i),
			        json_get(claim, "spec"));
		i++;
	}
}

/* ---- what is there twice ---- */

/* Items of a list that have a member alike. */
static void warn_of_repeated(
        struct warnings *w, const char *base, const struct json *spec, const char *list, const char *member)
{
	const struct json *items = json_get(spec, list);
	struct name_set seen = {MAP_INIT};
	int i = 0;
	if (!items || items->count < 2)
		return;
	JSON_FOREACH (it, items) {
		struct slice name = json_get_str(it, member);
		if (!name_set_add(&seen, name))
			warning_add(w, "%sspec.%s[%d].%s: duplicate %s \"%.*s\"", base, list, i, member, member,
			        SLICE_FMT(name));
		i++;
	}
	name_set_release(&seen);
}

static void warn_of_pull_secrets(struct warnings *w, const char *base, const struct json *spec)
{
	int i = 0;
	warn_of_repeated(w, base, spec, "imagePullSecrets", "name");
	JSON_FOREACH (it, json_get(spec, "imagePullSecrets")) {
		if (!json_get_str(it, "name").len)
			warning_add(w, "%sspec.imagePullSecrets[%d].name: invalid empty name \"\"", base, i);
		i++;
	}
}

/* A value that is made of the one before it is no mistake: PATH="$(PATH):/x". */
static bool hides_the_one_before(struct warnings *w, const struct json *env)
{
	struct slice value = json_get_str(env, "value");
	const char *ref = arena_printf(w->arena, "$(%.*s)", SLICE_FMT(json_get_str(env, "name")));
	return json_get(env, "valueFrom") || slice_is(value, ref) || !value.len ||
	       !memmem(value.ptr, value.len, ref, strlen(ref));
}

static const char *const container_lists[] = {"initContainers", "containers", "ephemeralContainers"};

/* A container: "spec.template.", "containers", 0 */
struct place {
	const char *base, *list;
	int index;
};

static void warn_of_env(struct warnings *w, const struct place *p, const struct json *container)
{
	const struct json *env = json_get(container, "env");
	struct name_set seen = {MAP_INIT};
	int i = 0;
	if (!env || env->count < 2)
		return;
	JSON_FOREACH (it, env) {
		struct slice name = json_get_str(it, "name");
		if (!name_set_add(&seen, name) && hides_the_one_before(w, it))
			warning_add(w,
			        "%sspec.%s[%d].env[%d]: hides previous definition of \"%.*s\", which may be dropped "
			        "when using apply",
			        p->base, p->list, p->index, i, SLICE_FMT(name));
		i++;
	}
	name_set_release(&seen);
}

/* ---- ports ---- */

/* Ports are compared each with each: of more than these no one has written by hand. */
enum { PORTS_COMPARED_MAX = 256 };

struct port {
	struct place container;
	int index;
	int64_t number, host;
	struct slice protocol, host_ip;
};

struct ports {
	struct port *items;
	size_t count, room;
};

static struct ports room_for_ports(struct arena *a, const struct json *spec)
{
	struct ports all = {NULL, 0, 0};
	for (size_t k = 0; k < COUNT_OF(container_lists); k++)
		JSON_FOREACH (c, json_get(spec, container_lists[k]))
			all.room += json_get(c, "ports") ? json_get(c, "ports")->count : 0;
	all.room = all.room < PORTS_COMPARED_MAX ? all.room : PORTS_COMPARED_MAX;
	all.items = all.room ? ARENA_ARRAY(a, struct port, all.room) : NULL;
	return all;
}

static const char *how_they_meet(const struct port *p, const struct port *q)
{
	if (p->host == q->host && slice_eq(p->host_ip, q->host_ip))
		return "duplicate";
	if (!p->host || !q->host)
		return "overlapping";
	return p->host == q->host && !p->host_ip.len != !q->host_ip.len ? "dangerously ambiguous" : NULL;
}

static void warn_of_port(struct warnings *w, const struct ports *before, const struct port *p)
{
	for (size_t i = 0; i < before->count && !warnings_are_full(w); i++) {
		const struct port *q = &before->items[i];
		const char *how =
		        p->number == q->number && slice_eq(p->protocol, q->protocol) ? how_they_meet(p, q) : NULL;
		if (how)
			warning_add(w, "%sspec.%s[%d].ports[%d]: %s port definition with %sspec.%s[%d].ports[%d]",
			        p->container.base, p->container.list, p->container.index, p->index, how,
			        q->container.base, q->container.list, q->container.index, q->index);
	}
}

static void warn_of_ports(struct warnings *w, const struct place *place, struct ports *all, const struct json *ports)
{
	int i = 0;
	JSON_FOREACH (it, ports) {
		struct port p = {*place, i++, json_get_int(it, "containerPort", 0), json_get_int(it, "hostPort", 0),
		        json_get_str(it, "protocol"), json_get_str(it, "hostIP")};
		if (all->count == all->room)
			return;
		if (p.host_ip.len && !p.host)
			warning_add(w,
			        "%sspec.%s[%d].ports[%d]: hostIP set without hostPort: {Name:%.*s HostPort:0 "
			        "ContainerPort:%lld Protocol:%.*s HostIP:%.*s}",
			        place->base, place->list, place->index, p.index, SLICE_FMT(json_get_str(it, "name")),
			        (long long)p.number, SLICE_FMT(p.protocol), SLICE_FMT(p.host_ip));
		warn_of_port(w, all, &p);
		all->items[all->count++] = p;
	}
}

/* ---- containers ---- */

#define SECCOMP_CONTAINER "container.seccomp.security.alpha.kubernetes.io/"
#define SECCOMP_POD "seccomp.security.alpha.kubernetes.io/pod"
#define APPARMOR "container.apparmor.security.beta.kubernetes.io/"

/* An annotation of this container's, where the field that has taken its place is not set. */
static void warn_of_profile(struct warnings *w, const char *base, const struct json *annotations, const char *prefix,
        const struct json *container, const char *message)
{
	const char *key = arena_printf(w->arena, "%s%.*s", prefix, SLICE_FMT(json_get_str(container, "name")));
	if (json_get(annotations, key))
		warning_add(w, "%smetadata.annotations[%s]: %s", base, key, message);
}

static void warn_of_profiles(struct warnings *w, const char *base, const struct json *annotations,
        const struct json *spec, const struct json *container)
{
	const struct json *context = json_get(container, "securityContext");
	if (!annotations || !annotations->first)
		return;
	if (!json_get(context, "seccompProfile"))
		warn_of_profile(w, base, annotations, SECCOMP_CONTAINER, container,
		        "non-functional in v1.27+; use the \"seccompProfile\" field instead");
	if (*base && !json_get(context, "appArmorProfile") &&
	        !json_path(spec, "securityContext", "appArmorProfile", NULL))
		warn_of_profile(w, base, annotations, APPARMOR, container,
		        "deprecated since v1.30; use the \"appArmorProfile\" field instead");
}

static void warn_of_amounts(struct warnings *w, const struct place *p, const struct json *container)
{
	static const char *const names[] = {"memory", "ephemeral-storage"}, *const parts[] = {"limits", "requests"};
	const struct json *resources = json_get(container, "resources");
	for (size_t i = 0; i < COUNT_OF(names); i++)
		for (size_t k = 0; k < COUNT_OF(parts); k++)
			if (has_fraction(json_get(resources, parts[k]), names[i]))
				warn_of_fraction(w,
				        arena_printf(w->arena, "%sspec.%s[%d].resources.%s", p->base, p->list, p->index,
				                parts[k]),
				        json_get(resources, parts[k]), names[i]);
}

static void warn_of_containers(
        struct warnings *w, const char *base, const struct json *annotations, const struct json *spec)
{
	struct ports all = room_for_ports(w->arena, spec);
	for (size_t k = 0; k < COUNT_OF(container_lists); k++) {
		struct place p = {base, container_lists[k], 0};
		JSON_FOREACH (c, json_get(spec, container_lists[k])) {
			warn_of_profiles(w, base, annotations, spec, c);
			warn_of_amounts(w, &p, c);
			warn_of_env(w, &p, c);
			warn_of_ports(w, &p, &all, json_get(c, "ports"));
			p.index++;
		}
	}
}

static void warn_of_overhead(struct warnings *w, const char *base, const struct json *overhead)
{
	static const char *const names[] = {"memory", "ephemeral-storage"};
	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (has_fraction(overhead, names[i]))
			warn_of_fraction(w, arena_printf(w->arena, "%sspec.overhead", base), overhead, names[i]);
}

/* ---- the whole ---- */

void warn_of_pod(struct warnings *w, const char *base, const struct json *meta, const struct json *spec)
{
	const struct json *annotations = json_get(meta, "annotations");
	const struct json *grace = json_get(spec, "terminationGracePeriodSeconds");
	warn_of_nodes(w, base, spec);
	warn_of_spread(w, base, spec);
	warn_of_annotations(w, base, annotations);
	warn_of_volumes(w, base, spec);
	warn_of_repeated(w, base, spec, "hostAliases", "ip");
	warn_of_pull_secrets(w, base, spec);
	warn_of_overhead(w, base, json_get(spec, "overhead"));
	if (json_get(annotations, SECCOMP_POD) && !json_path(spec, "securityContext", "seccompProfile", NULL))
		warning_add(w,
		        "%smetadata.annotations[" SECCOMP_POD
		        "]: non-functional in v1.27+; use the \"seccompProfile\" field instead",
		        base);
	warn_of_containers(w, base, annotations, spec);
	if (grace && json_int(grace, 0) < 0)
		warning_add(w,
		        "%sspec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be "
		        "treated as 1",
		        base);
	warn_of_neighbours(w, base, spec);
}

/* A pod that is there already is written by machines. */
void warn_of_new_pod(struct warnings *w, const struct json *object, const struct json *old)
{
	const struct json *meta = json_get(object, "metadata");
	const char *bad = old ? NULL : validate_dns1123_label(json_get_str(meta, "name"));
	if (old)
		return;
	if (bad)
		warning_add(w,
		        "metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a "
		        "DNS label is recommended: [%s]",
		        bad);
	warn_of_pod(w, "", meta, json_get(object, "spec"));
}
