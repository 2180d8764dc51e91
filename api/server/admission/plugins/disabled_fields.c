/* DisabledFields: what a pod says by fields whose feature gate upstream has off by default in this release is dropped,
 * as upstream does (pkg/api/pod: DropDisabledPodFields), so that nobody reads back what nothing honours. Upstream is
 * silent about it; here each comes with a warning. The row of a field goes when its gate is on by default upstream and
 * its part is built.
 *
 * Writes of objects that come with them fail nowhere: what is warned of is not there afterwards. But for one: a pod
 * that claims devices (resourceClaims, resources.claims of a container) cannot do its work without them, and is refused
 * rather than run so; a template, too. */
#include "api/server/admission/admission.h"
#include "api/server/admission/plugin.h"

#include "api/server/arguments.h"
#include "api/server/call.h"
#include "api/server/state.h"
#include "base/check.h"

struct drop {
	struct admission *a;
	const char *base; /* of the spec: "spec", "spec.template.spec" */
};

static void warn(const struct drop *d, const char *path, const char *gate)
{
	call_warn(d->a->call,
	        arena_printf(d->a->arena, "%s.%s has no effect and was dropped, as upstream's feature %s is off",
	                d->base, path, gate));
}

static void drop(const struct drop *d, struct json *from, const char *field, const char *path, const char *gate)
{
	const struct json *v = json_get(from, field);
	bool is_empty = !v || json_is(v, JSON_NULL) || (json_is(v, JSON_ARRAY) && !v->first);
	if (!is_empty)
		warn(d, path, gate);
	if (v)
		json_del(from, field);
}

static bool has_resize(const struct admission *a)
{
	return a->call->server->options.arguments->has_pod_resize;
}

/* ---- containers ---- */

/* A pod's containers say of each resource that they name how they take another amount of it. */
static void fill_resize_policies(struct arena *a, const struct json *spec)
{
	static const char *const names[] = {"cpu", "memory"};
	JSON_FOREACH (c, json_get(spec, "containers"))
		for (size_t i = 0; i < COUNT_OF(names); i++) {
			bool is_named = json_path(c, "resources", "requests", names[i], NULL) ||
			                json_path(c, "resources", "limits", names[i], NULL);
			JSON_FOREACH (it, json_get(c, "resizePolicy"))
				is_named = is_named && !slice_is(json_get_str(it, "resourceName"), names[i]);
			if (!is_named)
				continue;
			struct json *policy = json_new(a, JSON_OBJECT);
			json_set_cstr(a, policy, "resourceName", names[i]);
			json_set_cstr(a, policy, "restartPolicy", "NotRequired");
			json_append(json_need(a, c, "resizePolicy", JSON_ARRAY), policy);
		}
}

/* "Default" is what it is without a word. */
static void drop_proc_mount(const struct drop *d, struct json *context, const char *path)
{
	struct slice type = json_get_str(context, "procMount");
	if (!type.len || slice_is(type, "Default"))
		return;
	warn(d, path, "ProcMountType");
	json_set_cstr(d->a->arena, context, "procMount", "Default");
}

static void drop_of_containers(const struct drop *d, const struct json *spec, const char *list)
{
	int i = 0;
	JSON_FOREACH (c, json_get(spec, list)) {
		const char *here = arena_printf(d->a->arena, "%s[%d]", list, i++);
		if (!has_resize(d->a))
			drop(d, c, "resizePolicy", arena_printf(d->a->arena, "%s.resizePolicy", here),
			        "InPlacePodVerticalScaling");
		drop_proc_mount(d, json_get(c, "securityContext"),
		        arena_printf(d->a->arena, "%s.securityContext.procMount", here));
	}
}

/* ---- volumes ---- */

static void remove_mounts(const struct json *spec, const char *list, struct slice volume)
{
	JSON_FOREACH (c, json_get(spec, list)) {
		struct json *mounts = json_get(c, "volumeMounts");
		for (struct json *next, *m = mounts ? mounts->first : NULL; m; m = next) {
			next = m->next;
			if (slice_eq(json_get_str(m, "name"), volume))
				json_remove(mounts, m);
		}
	}
}

static const char *const lists[] = {"containers", "initContainers", "ephemeralContainers"};

static void drop_image_volumes(const struct drop *d, const struct json *spec)
{
	struct json *volumes = json_get(spec, "volumes");
	for (struct json *next, *v = volumes ? volumes->first : NULL; v; v = next) {
		struct slice name = json_get_str(v, "name");
		next = v->next;
		if (!json_get(v, "image"))
			continue;
		warn(d, arena_printf(d->a->arena, "volumes[%.*s].image", SLICE_FMT(name)), "ImageVolume");
		for (size_t i = 0; i < COUNT_OF(lists); i++)
			remove_mounts(spec, lists[i], name);
		json_remove(volumes, v);
	}
}

static void drop_trust_bundles(const struct drop *d, const struct json *spec)
{
	JSON_FOREACH (v, json_get(spec, "volumes"))
		JSON_FOREACH (source, json_path(v, "projected", "sources", NULL))
			drop(d, source, "clusterTrustBundle",
			        arena_printf(d->a->arena, "volumes[%.*s].projected.sources.clusterTrustBundle",
			                SLICE_FMT(json_get_str(v, "name"))),
			        "ClusterTrustBundleProjection");
}

/* ---- the spec ---- */

static void drop_of_spec(const struct drop *d, struct json *spec)
{
	struct json *context = json_get(spec, "securityContext");
	CHECK(json_is(spec, JSON_OBJECT));
	drop(d, spec, "hostUsers", "hostUsers", "UserNamespacesSupport");
	drop(d, spec, "resources", "resources", "PodLevelResources");
	drop(d, context, "supplementalGroupsPolicy", "securityContext.supplementalGroupsPolicy",
	        "SupplementalGroupsPolicy");
	drop(d, context, "seLinuxChangePolicy", "securityContext.seLinuxChangePolicy", "SELinuxChangePolicy");
	for (size_t i = 0; i < COUNT_OF(lists); i++)
		drop_of_containers(d, spec, lists[i]);
	drop_image_volumes(d, spec);
	drop_trust_bundles(d, spec);
}

/* ---- devices that are claimed ---- */

static bool is_some(const struct json *list)
{
	return list && list->first;
}

/* Where the spec asks for some: "resourceClaims", "containers[0].resources.claims"; NULL: nowhere. */
static const char *claims_in(struct arena *a, const struct json *spec)
{
	if (is_some(json_get(spec, "resourceClaims")))
		return "resourceClaims";
	for (size_t i = 0; i < COUNT_OF(lists); i++) {
		int k = 0;
		JSON_FOREACH (c, json_get(spec, lists[i])) {
			if (is_some(json_path(c, "resources", "claims", NULL)))
				return arena_printf(a, "%s[%d].resources.claims", lists[i], k);
			k++;
		}
	}
	return NULL;
}

/* Where a spec of pods stands in an object; its place is for messages. */
static struct json *spec_in(const struct admission *a, const struct json *object, const char **ret_base)
{
	bool is_pod = resource_has(a->resource, KIND_IS_POD);
	*ret_base = is_pod                                               ? "spec"
	            : json_path(object, "spec", "jobTemplate", NULL)     ? "spec.jobTemplate.spec.template.spec"
	            : json_is(json_get(object, "template"), JSON_OBJECT) ? "template.spec"
	                                                                 : "spec.template.spec";
	return json_get(is_pod ? object : admission_template_of(object), "spec");
}

/* What was let in before stays, so that the rest of it can be changed; no pod comes of it. */
static int refuse_claims(const struct drop *d, const struct json *spec, struct err *err)
{
	const char *base, *path = claims_in(d->a->arena, spec);
	if (!path || (d->a->old && claims_in(d->a->arena, spec_in(d->a, d->a->old, &base))))
		return 0;
	return err_set(err, ERR_FORBIDDEN,
	        "%s \"%.*s\" is forbidden: %s.%s: dynamic resource allocation is not served; devices of device plugins "
	        "are asked for in resources.limits",
	        d->a->resource->plural, SLICE_FMT(d->a->name), d->base, path);
}

/* ---- the plugin ---- */

int drop_disabled_fields(struct admission *a, struct err *err)
{
	bool is_pod = resource_has(a->resource, KIND_IS_POD);
	struct drop d = {.a = a};
	struct json *spec = spec_in(a, a->object, &d.base);
	if (is_pod && a->operation == ADMISSION_UPDATE && !*a->sub)
		return 0; /* none of them may change, and what was there stays */
	if (json_is(spec, JSON_OBJECT) && (!*a->sub || strcmp(a->sub, "ephemeralcontainers") == 0)) {
		if (refuse_claims(&d, spec, err) != 0)
			return err->code;
		drop_of_spec(&d, spec);
	}
	if (is_pod && a->operation == ADMISSION_CREATE && !*a->sub && has_resize(a))
		fill_resize_policies(a->arena, spec);
	return 0;
}
