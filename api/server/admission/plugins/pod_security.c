/* PodSecurity: pods keep to the level of the Pod Security Standards that their namespace's labels ask for
 * (api/machinery/rules/pod/pod_security.h), else they are refused, or warned of. What makes pods (a Deployment, a Job)
 * is stored all the same, with a warning of what its pods would be told. Labels that do not read are refused; when a
 * namespace's level is raised, what runs there against it is named in warnings.
 *
 * What is without a label is as the plugin's configuration says, by default privileged; users, namespaces and runtime
 * classes that it exempts are not looked at. */
#include "api/server/admission/admission.h"
#include "api/server/admission/plugin.h"

#include "api/server/admission/config.h"
#include "api/server/state.h"

#include "api/machinery/rules/pod/pod_security.h"
#include "api/server/audit/audit.h"
#include "api/server/call.h"

/* Upstream looks no further, either. */
enum { PODS_CHECKED_MAX = 3000, REASONS_MAX = 64 };

/* ---- pods ---- */

static const struct json *labels_of(const struct json *object)
{
	return json_path(object, "metadata", "labels", NULL);
}

static const struct pod_security_policy *defaults_of(const struct admission *a)
{
	const struct admission_config *c = a->call->server->admission;
	return c->has_defaults ? &c->defaults : NULL;
}

/* pod: NULL, or a pod or its template. */
static bool is_exempt(const struct admission *a, struct slice ns, const struct json *pod)
{
	const struct admission_config *c = a->call->server->admission;
	struct slice class = json_str(json_path(pod, "spec", "runtimeClassName", NULL));
	return config_lists(c->exempt_namespaces, ns) || config_lists(c->exempt_users, a->call->user->name) ||
	       (class.len && config_lists(c->exempt_runtime_classes, class));
}

static struct pod_security_policy policy_of_namespace(struct admission *a)
{
	struct object *o = admission_lookup(a, "", "namespaces", a->ns);
	const struct json *ns = o ? json_parse(a->arena, object_text(o), NULL, NULL) : NULL;
	return pod_security_policy(labels_of(ns), defaults_of(a), NULL, NULL);
}

static void check(struct admission *a, struct pod_security s, const struct json *pod, struct pod_violations *ret)
{
	pod_security_check(s, json_get(pod, "metadata"), json_get(pod, "spec"), a->arena, ret);
}

static void warn(struct admission *a, struct pod_security s, const struct json *pod)
{
	struct pod_violations v;
	check(a, s, pod, &v);
	if (v.n)
		call_warn(a->call, arena_printf(a->arena, "would violate PodSecurity \"%s\": %s",
		                           pod_security_text(a->arena, s), pod_violations_text(&v, true)));
}

/* What would be against the level that is asked for in `audit` stands in the event, and nowhere else. */
static void annotate(struct admission *a, struct pod_security s, const struct json *pod)
{
	struct pod_violations v;
	if (!a->call->audit)
		return;
	check(a, s, pod, &v);
	if (v.n)
		audit_annotate(a->call, "pod-security.kubernetes.io/audit-violations",
		        slice_of(arena_printf(a->arena, "would violate PodSecurity \"%s\": %s",
		                pod_security_text(a->arena, s), pod_violations_text(&v, true))));
}

static bool is_profile(struct slice annotation)
{
	return slice_starts(annotation, "container.apparmor.security.beta.kubernetes.io/") ||
	       slice_starts(annotation, "container.seccomp.security.alpha.kubernetes.io/") ||
	       slice_is(annotation, "seccomp.security.alpha.kubernetes.io/pod");
}

static bool differs_in_profiles(const struct json *x, const struct json *y)
{
	JSON_FOREACH (it, json_path(x, "metadata", "annotations", NULL)) {
		const struct json *other = json_get_slice(json_path(y, "metadata", "annotations", NULL), it->key);
		if (is_profile(it->key) && (!other || !json_equal(it, other)))
			return true;
	}
	return false;
}

static bool differs_in_images(const struct json *x, const struct json *y, const char *list)
{
	const struct json *before = json_path(x, "spec", list, NULL), *now = json_path(y, "spec", list, NULL);
	const struct json *it = before ? before->first : NULL;
	if ((before ? before->count : 0) != (now ? now->count : 0))
		return true;
	JSON_FOREACH (c, now) {
		if (!slice_eq(json_get_str(it, "image"), json_get_str(c, "image")))
			return true;
		it = it->next;
	}
	return false;
}

/* Of what may change in a pod only this matters here. */
static bool is_significant(const struct admission *a)
{
	static const char *const lists[] = {"containers", "initContainers", "ephemeralContainers"};
	if (a->operation == ADMISSION_CREATE)
		return true;
	for (size_t i = 0; i < COUNT_OF(lists); i++)
		if (differs_in_images(a->old, a->object, lists[i]))
			return true;
	return differs_in_profiles(a->old, a->object) || differs_in_profiles(a->object, a->old);
}

static int admit_pod(struct admission *a, struct err *err)
{
	struct pod_security_policy p = policy_of_namespace(a);
	struct pod_violations v;
	if (is_exempt(a, a->ns, a->object) || !is_significant(a))
		return 0;
	check(a, p.enforce, a->object, &v);
	if (a->call->audit)
		audit_annotate(a->call, "pod-security.kubernetes.io/enforce-policy",
		        slice_of(pod_security_text(a->arena, p.enforce)));
	annotate(a, p.audit, a->object);
	if (v.n)
		return admission_forbid(a, err,
		        arena_printf(a->arena, "violates PodSecurity \"%s\": %s",
		                pod_security_text(a->arena, p.enforce), pod_violations_text(&v, true)));
	warn(a, p.warn, a->object);
	return 0;
}

/* ---- what makes them ---- */

static void look_at_template(struct admission *a)
{
	const struct json *template = admission_template_of(a->object);
	if (!template || is_exempt(a, a->ns, template))
		return;
	struct pod_security_policy p = policy_of_namespace(a);
	annotate(a, p.audit, template);
	warn(a, p.warn, template);
}

/* ---- namespaces ---- */

static void refuse_label(void *arg, const char *label, struct slice value)
{
	struct admission *a = arg;
	size_t n = strlen(label);
	bool is_version = n > 8 && strcmp(label + n - 8, "-version") == 0;
	const struct json *before = json_get(labels_of(a->old), label);
	if (before && slice_eq(before->text, value))
		return;
	field_error_add(a->errors, "FieldValueInvalid", arena_printf(a->arena, "metadata.labels[%s]", label),
	        "Invalid value: \"%.*s\": %s", SLICE_FMT(value),
	        is_version ? "must be \"latest\" or \"v1.x\"" : "must be one of privileged, baseline, restricted");
}

/* Pods with the same thing wrong with them: the first by name, and how many more. */
struct reason {
	const char *text;
	struct slice pod;
	size_t n;
};

struct look {
	struct admission *a;
	struct pod_security level;
	struct reason reasons[REASONS_MAX];
	size_t n_reasons, n_pods;
};

static void look_at_pod(void *arg, struct object *o)
{
	struct look *l = arg;
	struct pod_violations v;
	const struct json *pod =
	        l->n_pods++ < PODS_CHECKED_MAX ? json_parse(l->a->arena, object_text(o), NULL, NULL) : NULL;
	if (!pod)
		return;
	check(l->a, l->level, pod, &v);
	if (!v.n)
		return;
	const char *text = pod_violations_text(&v, false);
	size_t i = 0;
	while (i < l->n_reasons && strcmp(l->reasons[i].text, text) != 0)
		i++;
	if (i == REASONS_MAX)
		return;
	if (i == l->n_reasons)
		l->reasons[l->n_reasons++] = (struct reason){text, object_name(o), 0};
	l->reasons[i].n++;
}

static void warn_of_pods(struct admission *a, struct pod_security level)
{
	struct look *l = ARENA_NEW(a->arena, struct look);
	*l = (struct look){.a = a, .level = level};
	admission_each(a, "", "pods", a->name, look_at_pod, l);
	if (l->n_reasons)
		call_warn(a->call,
		        arena_printf(a->arena,
		                "existing pods in namespace \"%.*s\" violate the new PodSecurity enforce level \"%s\"",
		                SLICE_FMT(a->name), pod_security_text(a->arena, level)));
	for (size_t i = 0; i < l->n_reasons; i++) {
		const struct reason *r = &l->reasons[i];
		const char *more = r->n == 1   ? ""
		                   : r->n == 2 ? " (and 1 other pod)"
		                               : arena_printf(a->arena, " (and %zu other pods)", r->n - 1);
		call_warn(a->call, arena_printf(a->arena, "%.*s%s: %s", SLICE_FMT(r->pod), more, r->text));
	}
}

static int admit_namespace(struct admission *a, struct err *err)
{
	struct pod_security_policy now = pod_security_policy(labels_of(a->object), defaults_of(a), refuse_label, a),
	                           before = pod_security_policy(labels_of(a->old), defaults_of(a), NULL, NULL);
	if (a->errors->count)
		return err_set(err, ERR_INVALID_OBJECT, "Namespace \"%.*s\" is invalid", SLICE_FMT(a->name));
	bool is_other = now.enforce.level != before.enforce.level || now.enforce.minor != before.enforce.minor;
	bool is_relaxed = now.enforce.minor == before.enforce.minor && now.enforce.level <= before.enforce.level;
	if (a->operation == ADMISSION_UPDATE && is_other && !is_relaxed && !is_exempt(a, a->name, NULL))
		warn_of_pods(a, now.enforce);
	return 0;
}

int admit_pod_security(struct admission *a, struct err *err)
{
	if (*a->sub && strcmp(a->sub, "ephemeralcontainers") != 0)
		return 0;
	if (resource_has(a->resource, KIND_IS_NAMESPACE))
		return admit_namespace(a, err);
	if (resource_has(a->resource, KIND_IS_POD))
		return admit_pod(a, err);
	look_at_template(a);
	return 0;
}
