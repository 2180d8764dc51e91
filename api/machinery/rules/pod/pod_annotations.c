/* Annotations of pods that say what fields say too, or that the server itself reads. Profiles of AppArmor are kept in
 * step with their field when a pod is made, both ways; those of seccomp have no effect any more, and must only not
 * contradict the field. Who a mirror pod is, and profiles, stay. Upstream: applyAppArmorVersionSkew in
 * pkg/registry/core/pod, ValidatePodSpecificAnnotations and what follows it in pkg/apis/core/validation.
 *
 * Most pods have no such annotation: then nothing is made. Left out: the annotation of tolerations, which nothing
 * reads.
 */
#include "api/machinery/rules/pod/pod.h"
#include "api/machinery/rules/pod/pod_parts_int.h"

#include "base/check.h"

#define APPARMOR "container.apparmor.security.beta.kubernetes.io/"
#define SECCOMP_POD "seccomp.security.alpha.kubernetes.io/pod"
#define SECCOMP "container.seccomp.security.alpha.kubernetes.io/"
#define LOCAL "localhost/"
#define MIRROR "kubernetes.io/config.mirror"
#define COST "controller.kubernetes.io/pod-deletion-cost"

static const char *const lists[] = {"containers", "initContainers", "ephemeralContainers"};

static struct slice behind(struct slice s, const char *prefix)
{
	return (struct slice){s.ptr + strlen(prefix), s.len - strlen(prefix)};
}

static const struct json *annotations_of(const struct json *object)
{
	return json_path(object, "metadata", "annotations", NULL);
}

static const struct json *annotation_of(
        struct arena *a, const struct json *annotations, const char *prefix, const struct json *container)
{
	if (!annotations || !annotations->first)
		return NULL;
	return json_get(annotations, arena_printf(a, "%s%.*s", prefix, SLICE_FMT(json_get_str(container, "name"))));
}

static bool is_windows(const struct json *spec)
{
	return slice_is(json_str(json_path(spec, "os", "name", NULL)), "windows");
}

/* ---- AppArmor: field and annotation ---- */

/* "runtime/default", "unconfined", "localhost/NAME". NULL: it says nothing that a field could. */
static struct json *profile_of_annotation(struct arena *a, struct slice text)
{
	struct json *p = json_new(a, JSON_OBJECT);
	if (slice_is(text, "runtime/default")) {
		json_set_cstr(a, p, "type", "RuntimeDefault");
	} else if (slice_is(text, "unconfined")) {
		json_set_cstr(a, p, "type", "Unconfined");
	} else if (slice_starts(text, LOCAL) && slice_trim(behind(text, LOCAL)).len) {
		json_set_cstr(a, p, "type", "Localhost");
		json_set_str(a, p, "localhostProfile", behind(text, LOCAL));
	} else {
		return NULL;
	}
	return p;
}

static const char *annotation_of_profile(struct arena *a, const struct json *profile)
{
	struct slice type = json_get_str(profile, "type"), name = json_get_str(profile, "localhostProfile");
	if (slice_is(type, "RuntimeDefault"))
		return "runtime/default";
	if (slice_is(type, "Unconfined"))
		return "unconfined";
	return slice_is(type, "Localhost") && name.len ? arena_printf(a, LOCAL "%.*s", SLICE_FMT(name)) : NULL;
}

static void sync_container(struct arena *a, struct json *object, struct json *container, const struct json *of_pod)
{
	const struct json *own = json_path(container, "securityContext", "appArmorProfile", NULL),
	                  *said = annotation_of(a, annotations_of(object), APPARMOR, container);
	const char *text = said ? NULL : annotation_of_profile(a, own ? own : of_pod);
	struct json *profile = said && !own ? profile_of_annotation(a, json_str(said)) : NULL;
	if (text)
		json_set_cstr(a,
		        json_need(a, json_need(a, object, "metadata", JSON_OBJECT), "annotations", JSON_OBJECT),
		        arena_printf(a, APPARMOR "%.*s", SLICE_FMT(json_get_str(container, "name"))), text);
	if (profile && !(of_pod && json_equal(profile, of_pod)))
		json_set(a, json_need(a, container, "securityContext", JSON_OBJECT), "appArmorProfile", profile);
}

void pod_annotations_sync(struct arena *a, struct json *object)
{
	const struct json *spec = json_get(object, "spec"),
	                  *of_pod = json_path(spec, "securityContext", "appArmorProfile", NULL);
	if (is_windows(spec))
		return;
	for (size_t i = 0; i < COUNT_OF(lists); i++)
		JSON_FOREACH (it, json_get(spec, lists[i]))
			sync_container(a, object, it, of_pod);
}

/* ---- what each may say ---- */

static bool has_container(const struct json *spec, struct slice name)
{
	for (size_t i = 0; i < COUNT_OF(lists); i++)
		if (pod_named(json_get(spec, lists[i]), name))
			return true;
	return false;
}

static void check_apparmor(
        struct field_errors *e, const char *field, const struct json *annotation, const struct json *spec)
{
	struct slice name = behind(annotation->key, APPARMOR), text = json_str(annotation);
	if (!has_container(spec, name))
		bad_value(e, field, name, "container not found");
	if (text.len && !slice_is(text, "runtime/default") && !slice_is(text, "unconfined") &&
	        !slice_starts(text, LOCAL))
		bad_value(e, field, text, at(e, "invalid AppArmor profile name: \"%.*s\"", SLICE_FMT(text)));
}

static void check_seccomp(struct field_errors *e, const char *field, struct slice text)
{
	static const char *const plain[] = {"runtime/default", "docker/default", "unconfined"};
	struct slice path = slice_starts(text, LOCAL) ? behind(text, LOCAL) : SLICE_NULL, rest = path;
	if (!path.ptr && !slice_is_any(text, plain, COUNT_OF(plain)))
		bad_value(e, field, text, "must be a valid seccomp profile");
	if (path.len && path.ptr[0] == '/')
		bad_value(e, field, path, "must be a relative path");
	while (rest.ptr)
		if (slice_is(slice_cut(&rest, '/'), "..")) {
			bad_value(e, field, path, "must not contain '..'");
			return;
		}
}

/* A whole number of 32 bits, without a plus or zeros before it. */
static bool is_cost(struct slice s)
{
	int64_t n;
	bool starts_well = s.len && (s.ptr[0] == '-' || slice_is(s, "0") || (s.ptr[0] >= '1' && s.ptr[0] <= '9'));
	return starts_well && slice_to_i64(s, &n) && n >= INT32_MIN && n <= INT32_MAX;
}

void validate_pod_annotations(
        struct field_errors *e, const char *field, const struct json *annotations, const struct json *spec)
{
	JSON_FOREACH (it, annotations) {
		struct slice text = json_str(it);
		if (slice_starts(it->key, APPARMOR))
			check_apparmor(e, at(e, "%s[%.*s]", field, SLICE_FMT(it->key)), it, spec);
		else if (slice_is(it->key, SECCOMP_POD) || slice_starts(it->key, SECCOMP))
			check_seccomp(e, at(e, "%s.%.*s", field, SLICE_FMT(it->key)), text);
		else if (slice_is(it->key, MIRROR) && !json_get_str(spec, "nodeName").len)
			bad_value(e, at(e, "%s[" MIRROR "]", field), text,
			        "must set spec.nodeName if mirror pod annotation is set");
		else if (slice_is(it->key, COST) && !is_cost(text))
			bad_value(e, at(e, "%s[" COST "]", field), text, "must be a 32bit integer");
	}
}

/* ---- beside their fields ---- */

/* word: "seccomp", "apparmor". */
static void check_match(
        struct field_errors *e, const char *field, const char *word, const struct json *profile, struct slice text)
{
	struct slice type = json_get_str(profile, "type"), name = json_get_str(profile, "localhostProfile");
	bool is_local = slice_is(type, "Localhost");
	bool same = is_local                       ? slice_starts(text, LOCAL)
	            : slice_is(type, "Unconfined") ? slice_is(text, "unconfined")
	            : slice_is(type, "RuntimeDefault")
	                    ? slice_is(text, "runtime/default") || (*word == 's' && slice_is(text, "docker/default"))
	                    : true;
	if (!same)
		bad_forbidden(e, at(e, "%s.type", field), at(e, "%s type in annotation and field must match", word));
	else if (is_local && !slice_eq(behind(text, LOCAL), name))
		bad_forbidden(e, at(e, "%s.localhostProfile", field),
		        at(e, "%s profile in annotation and field must match", word));
}

static void check_container(struct field_errors *e, const char *here, const struct json *container,
        const struct json *spec, const struct json *annotations)
{
	const struct json *context = json_get(container, "securityContext"),
	                  *seccomp = json_get(context, "seccompProfile"),
	                  *apparmor = json_get(context, "appArmorProfile"),
	                  *said = annotation_of(e->arena, annotations, SECCOMP, container);
	if (!apparmor)
		apparmor = json_path(spec, "securityContext", "appArmorProfile", NULL);
	if (said && seccomp)
		check_match(e, at(e, "%s.securityContext.seccompProfile", here), "seccomp", seccomp, json_str(said));
	said = is_windows(spec) ? NULL : annotation_of(e->arena, annotations, APPARMOR, container);
	if (said && apparmor)
		check_match(e, at(e, "%s.securityContext.appArmorProfile", here), "apparmor", apparmor, json_str(said));
}

void validate_pod_annotations_match(struct field_errors *e, const struct json *object)
{
	const struct json *annotations = annotations_of(object), *spec = json_get(object, "spec"),
	                  *seccomp = json_path(spec, "securityContext", "seccompProfile", NULL),
	                  *said = json_get(annotations, SECCOMP_POD);
	if (!annotations || !annotations->first)
		return;
	if (seccomp && said)
		check_match(e, "spec.securityContext.seccompProfile", "seccomp", seccomp, json_str(said));
	for (size_t i = 0; i < COUNT_OF(lists); i++) {
		int k = 0;
		JSON_FOREACH (it, json_get(spec, lists[i]))
			check_container(e, at(e, "spec.%s[%d]", lists[i], k++), it, spec, annotations);
	}
}

/* ---- updates ---- */

/* What is told of one that is not as it was; NULL: it may change. */
static const char *kept_word(struct slice key)
{
	return slice_starts(key, APPARMOR) ? "AppArmor annotations"
	       : slice_is(key, MIRROR)     ? "mirror pod annotation"
	                                   : NULL;
}

void validate_pod_annotations_stay(struct field_errors *e, const struct json *object, const struct json *old)
{
	const struct json *now = annotations_of(object), *before = annotations_of(old);
	JSON_FOREACH (it, before)
		if (kept_word(it->key) && !json_equal(it, json_get_slice(now, it->key)))
			bad_forbidden(e, at(e, "metadata.annotations[%.*s]", SLICE_FMT(it->key)),
			        at(e, "may not remove or update %s", kept_word(it->key)));
	JSON_FOREACH (it, now)
		if (kept_word(it->key) && !json_get_slice(before, it->key))
			bad_forbidden(e, at(e, "metadata.annotations[%.*s]", SLICE_FMT(it->key)),
			        at(e, "may not add %s", kept_word(it->key)));
}
