/* The trees of what a chart asks for. See chart.h. */
#include "api/controllers/chart.h"

#include "api/controllers/chart_kinds.h"
#include "api/client/meta.h"
#include "base/base64.h"
#include "base/check.h"
#include "base/mem/str.h"
#include "base/pki/pki.h"

#include <stdlib.h>
#include <string.h>

enum { TRIES_DEFAULT = 1000 };

struct build {
	struct arena *a;
	const struct chart_input *in;
	const struct json *spec, *config; /* the config's spec, NULL: none */
	struct slice ns, name, uid;
	struct chart_plan *plan;
	struct json *template, *pod, *container, *env, *mounts, *volumes;
};

static struct slice of_meta(const struct json *object, const char *member)
{
	return json_get_str(json_get(object, "metadata"), member);
}

static const char *text_of(struct arena *a, struct slice s)
{
	return arena_printf(a, "%.*s", SLICE_FMT(s));
}

/* ---- whose it is, what it is called ---- */

enum chart_claim chart_claim(const struct json *chart)
{
	const struct json *spec = json_get(chart, "spec"),
	                  *notes = json_get(json_get(chart, "metadata"), "annotations");
	if (!json_get_str(spec, "chart").len && !json_get_str(spec, "chartContent").len)
		return CHART_LEFT_ALONE;
	if (json_get(notes, CHART_UNMANAGED))
		return CHART_LEFT_ALONE;
	if (!json_get(notes, CHART_MANAGED_BY))
		return CHART_UNCLAIMED;
	return slice_is(json_get_str(notes, CHART_MANAGED_BY), CHART_MANAGER) ? CHART_OURS : CHART_LEFT_ALONE;
}

const char *chart_job_name(struct arena *a, struct slice name, bool is_removal)
{
	return arena_printf(a, "helm-%s-%.*s", is_removal ? "delete" : "install", SLICE_FMT(name));
}

const char *chart_binding_name(struct arena *a, struct slice ns, struct slice name)
{
	const char *both = arena_printf(a, "%.*s/%.*s", SLICE_FMT(ns), SLICE_FMT(name));
	char hex[65];
	pki_sha256_hex(both, strlen(both), hex);
	return arena_printf(a, "helm-%.*s-%.*s-%.8s", SLICE_FMT(ns), SLICE_FMT(name), hex);
}

const char *chart_image(struct arena *a, const struct chart_input *in)
{
	struct slice own = slice_trim(json_get_str(json_get(in->chart, "spec"), "jobImage"));
	if (own.len)
		return text_of(a, own);
	return in->job_image && *in->job_image ? in->job_image : NULL;
}

const char *chart_source(struct arena *a, const struct json *chart)
{
	const struct json *spec = json_get(chart, "spec");
	struct slice from = json_get_str(spec, "chart"), version = json_get_str(spec, "version"),
	             repo = json_get_str(spec, "repo");
	const char *which = version.len ? arena_printf(a, "version %.*s", SLICE_FMT(version)) : "latest stable version";
	if (json_get_str(spec, "chartContent").len)
		return "inline spec.chartContent";
	if (slice_starts(from, "oci://"))
		return arena_printf(a, "%s from OCI registry %.*s", which, SLICE_FMT(from));
	if (memmem(from.ptr, from.len, "://", 3))
		return text_of(a, from);
	return arena_printf(a, "%.*s, %s, from chart repository %.*s", SLICE_FMT(from), which, SLICE_FMT(repo));
}

struct slice chart_next_secret(const struct json *object, const struct json **at)
{
	const struct json *list = json_get(json_get(object, "spec"), "valuesSecrets");
	for (*at = *at ? (*at)->next : list ? list->first : NULL; *at; *at = (*at)->next)
		if (!json_get_bool(*at, "ignoreUpdates", false) && json_get_str(*at, "name").len)
			return json_get_str(*at, "name");
	return SLICE_NULL;
}

/* ---- the job's container ---- */

static void env(struct build *b, const char *name, const char *value)
{
	struct json *one = json_new(b->a, JSON_OBJECT);
	json_set_cstr(b->a, one, "name", name);
	json_set_cstr(b->a, one, "value", value);
	json_append(b->env, one);
}

static void env_text(struct build *b, const char *name, struct slice value)
{
	env(b, name, text_of(b->a, value));
}

static void env_bool(struct build *b, const char *name, bool value)
{
	env(b, name, value ? "true" : "false");
}

static const char *either(struct build *b, const char *member, const char *fallback)
{
	struct slice first = json_get_str(b->config, member), second = json_get_str(b->spec, member);
	return first.len ? text_of(b->a, first) : second.len ? text_of(b->a, second) : fallback;
}

static void environment(struct build *b)
{
	struct slice repo = json_get_str(b->spec, "repo"), from = json_get_str(b->spec, "chart"),
	             target = json_get_str(b->spec, "targetNamespace"), driver = json_get_str(b->spec, "driver");
	const struct json *force = json_get(b->config, "forceConflicts");
	env_text(b, "NAME", b->name);
	env_text(b, "VERSION", json_get_str(b->spec, "version"));
	env_text(b, "REPO", repo);
	env_text(b, "HELM_DRIVER", driver.len ? driver : SLICE("secret"));
	env_text(b, "CHART_NAMESPACE", b->ns);
	env(b, "CHART",
	        repo.len ? arena_printf(b->a, "%.*s/%.*s", SLICE_FMT(b->name), SLICE_FMT(from)) : text_of(b->a, from));
	env_text(b, "HELM_VERSION", json_get_str(b->spec, "helmVersion"));
	env_text(b, "TARGET_NAMESPACE", target.len ? target : b->ns);
	env_bool(b, "AUTH_PASS_CREDENTIALS", json_get_bool(b->spec, "authPassCredentials", false));
	env_bool(b, "INSECURE_SKIP_TLS_VERIFY", json_get_bool(b->spec, "insecureSkipTLSVerify", false));
	env_bool(b, "PLAIN_HTTP", json_get_bool(b->spec, "plainHTTP", false));
	if (json_get_str(b->spec, "timeout").len)
		env_text(b, "TIMEOUT", json_get_str(b->spec, "timeout"));
	env(b, "FAILURE_POLICY", either(b, "failurePolicy", "reinstall"));
	env(b, "SERVER_SIDE", either(b, "serverSide", "auto"));
	env_bool(b, "FORCE_CONFLICTS",
	        force ? json_bool(force, false) : json_get_bool(b->spec, "forceConflicts", false));
}

/* The server's own way out to the world is the job's. */
static void proxy_environment(struct build *b)
{
	static const char *const names[] = {"all_proxy", "ALL_PROXY", "http_proxy", "HTTP_PROXY", "https_proxy",
	        "HTTPS_PROXY", "no_proxy", "NO_PROXY"};
	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (getenv(names[i]) && *getenv(names[i]))
			env(b, names[i], getenv(names[i]));
}

static void arg(struct build *b, struct json *args, struct slice text)
{
	json_append(args, json_new_str(b->a, text));
}

static void arg_pair(struct build *b, struct json *args, const char *flag, struct slice text)
{
	if (!text.len)
		return;
	arg(b, args, slice_of(flag));
	arg(b, args, text);
}

/* A comma parts two settings of helm's; one that an odd number of backslashes stands before is taken as it is. */
static struct slice commas_escaped(struct build *b, struct slice text)
{
	struct strbuf out = STRBUF_INIT;
	size_t slashes = 0;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] == ',' && slashes % 2 == 0)
			strbuf_addc(&out, '\\');
		strbuf_addc(&out, text.ptr[i]);
		slashes = text.ptr[i] == '\\' ? slashes + 1 : 0;
	}
	struct slice ret = {arena_memdup(b->a, strbuf_cstr(&out), out.len), out.len};
	strbuf_release(&out);
	return ret;
}

static bool is_typed(const struct json *v)
{
	struct slice text = json_str(v);
	return v->type != JSON_STRING || slice_caseis(text, "true") || slice_caseis(text, "false") ||
	       slice_caseis(text, "null");
}

static int by_key(const void *x, const void *y)
{
	const struct json *const *a = x, *const *b = y;
	return slice_cmp((*a)->key, (*b)->key);
}

static void set_arguments(struct build *b, struct json *args)
{
	const struct json *set = json_get(b->spec, "set");
	size_t n = 0, count = set ? set->count : 0;
	const struct json **sorted = ARENA_ARRAY(b->a, const struct json *, count + 1);
	JSON_FOREACH (it, set)
		sorted[n++] = it;
	qsort(sorted, n, sizeof *sorted, by_key);
	for (size_t i = 0; i < n; i++) {
		const struct json *v = sorted[i];
		struct slice value = v->type == JSON_STRING ? json_str(v) : v->text;
		bool typed = is_typed(v);
		if (!typed)
			value = commas_escaped(b, value);
		arg_pair(b, args, typed ? "--set" : "--set-string",
		        slice_of(arena_printf(b->a, "%.*s=%.*s", SLICE_FMT(v->key), SLICE_FMT(value))));
	}
}

static struct json *arguments(struct build *b)
{
	struct json *args = json_new(b->a, JSON_ARRAY);
	arg(b, args, b->in->is_removal ? SLICE("delete") : SLICE("install"));
	if (b->in->is_removal)
		return args;
	arg_pair(b, args, "--namespace", json_get_str(b->spec, "targetNamespace"));
	if (json_get_bool(b->spec, "createNamespace", false))
		arg(b, args, SLICE("--create-namespace"));
	if (json_get_bool(b->spec, "takeOwnership", false))
		arg(b, args, SLICE("--take-ownership"));
	arg_pair(b, args, "--version", json_get_str(b->spec, "version"));
	set_arguments(b, args);
	return args;
}

/* ---- volumes ---- */

static struct json *volume(struct build *b, const char *name, const char *path, const char *source)
{
	struct json *v = json_new(b->a, JSON_OBJECT), *m = json_new(b->a, JSON_OBJECT);
	json_set_cstr(b->a, v, "name", name);
	json_append(b->volumes, v);
	json_set_cstr(b->a, m, "name", name);
	json_set_cstr(b->a, m, "mountPath", path);
	json_append(b->mounts, m);
	return json_need(b->a, v, source, JSON_OBJECT);
}

static void scratch(struct build *b, const char *name, const char *path)
{
	json_set_cstr(b->a, volume(b, name, path, "emptyDir"), "medium", "Memory");
}

static void item(struct build *b, struct json *secret, struct slice key, const char *path)
{
	struct json *one = json_new(b->a, JSON_OBJECT);
	json_set_str(b->a, one, "key", key);
	json_set_cstr(b->a, one, "path", path);
	json_append(json_need(b->a, secret, "items", JSON_ARRAY), one);
}

static struct json *projected_secret(struct build *b, struct json *sources, struct slice name)
{
	struct json *one = json_new(b->a, JSON_OBJECT), *secret = json_need(b->a, one, "secret", JSON_OBJECT);
	json_set_str(b->a, secret, "name", name);
	json_append(sources, one);
	return secret;
}

static void value(struct build *b, struct json *own, const char *key, struct slice text, const char *path)
{
	if (!text.len)
		return;
	json_set_str(b->a, json_need(b->a, b->plan->values, "data", JSON_OBJECT), key, base64_encode(b->a, text));
	item(b, own, slice_of(key), path);
}

/* JSON is YAML. */
static struct slice tree_text(struct build *b, const struct json *tree)
{
	struct strbuf out = STRBUF_INIT;
	if (!tree || json_is(tree, JSON_NULL) || (json_is(tree, JSON_OBJECT) && !tree->count))
		return SLICE_NULL;
	json_write(&out, tree);
	struct slice ret = {arena_memdup(b->a, strbuf_cstr(&out), out.len), out.len};
	strbuf_release(&out);
	return ret;
}

/* helm reads the files in the order of their names, and the last one wins: `rank` 0 the chart's, 1 its config's. */
static void values_of(struct build *b, struct json *sources, struct json *own, const struct json *spec, int rank)
{
	const char *kind = rank ? "HelmChartConfig" : "HelmChart";
	unsigned n = 1;
	value(b, own, arena_printf(b->a, "%sValuesContent", kind), json_get_str(spec, "valuesContent"),
	        arena_printf(b->a, "values-%d-000-%s-ValuesContent.yaml", rank, kind));
	value(b, own, arena_printf(b->a, "%sValues", kind), tree_text(b, json_get(spec, "values")),
	        arena_printf(b->a, "values-%d-001-%s-Values.yaml", rank, kind));
	JSON_FOREACH (it, json_get(spec, "valuesSecrets")) {
		struct slice name = json_get_str(it, "name");
		const struct json *keys = json_get(it, "keys");
		if (!keys || !keys->count || slice_eq(name, of_meta(b->plan->values, "name")))
			continue;
		struct json *secret = projected_secret(b, sources, name);
		json_set_bool(b->a, secret, "optional", json_get_bool(it, "ignoreUpdates", false));
		JSON_FOREACH (key, keys)
			item(b, secret, json_str(key),
			        arena_printf(b->a, "values-%d-%03u-%s-ValuesSecret.yaml", rank, ++n, kind));
	}
}

/* What belongs to the chart, and goes with it. */
static struct json *owned(struct build *b, const char *api_version, const char *kind, const char *name)
{
	struct json *o = json_new(b->a, JSON_OBJECT), *meta;
	json_set_cstr(b->a, o, "apiVersion", api_version);
	json_set_cstr(b->a, o, "kind", kind);
	meta = json_need(b->a, o, "metadata", JSON_OBJECT);
	json_set_cstr(b->a, meta, "name", name);
	json_set_str(b->a, meta, "namespace", b->ns);
	json_append(json_need(b->a, meta, "ownerReferences", JSON_ARRAY),
	        owner_ref_new(b->a, CHARTS_VERSION, "HelmChart", b->name, b->uid));
	return o;
}

static void plan_values(struct build *b)
{
	const char *name = arena_printf(b->a, "chart-values-%.*s", SLICE_FMT(b->name));
	struct json *projected = volume(b, "values", "/config", "projected"), *sources, *own;
	b->plan->values = owned(b, "v1", "Secret", name);
	json_set_cstr(b->a, b->plan->values, "type", "helmcharts.helm.cattle.io/values");
	json_set_int(b->a, projected, "defaultMode", 0644);
	sources = json_need(b->a, projected, "sources", JSON_ARRAY);
	own = projected_secret(b, sources, slice_of(name));
	values_of(b, sources, own, b->spec, 0);
	value(b, own, "RepoCA", json_get_str(b->spec, "repoCA"), "ca-file.pem");
	if (b->config)
		values_of(b, sources, own, b->config, 1);
	if (!json_get(own, "items"))
		json_set_bool(b->a, own, "optional", true);
}

static void plan_content(struct build *b)
{
	const char *name = arena_printf(b->a, "chart-content-%.*s", SLICE_FMT(b->name));
	struct slice content = json_get_str(b->spec, "chartContent");
	struct json *source = volume(b, "content", "/chart", "configMap");
	json_set_int(b->a, source, "defaultMode", 0644);
	json_set_cstr(b->a, source, "name", name);
	b->plan->content = owned(b, "v1", "ConfigMap", name);
	if (content.len)
		json_set_str(b->a, json_need(b->a, b->plan->content, "data", JSON_OBJECT),
		        arena_printf(b->a, "%.*s.tgz.base64", SLICE_FMT(b->name)), content);
}

static void volumes(struct build *b)
{
	struct slice auth = json_get_str(json_get(b->spec, "authSecret"), "name"),
	             docker = json_get_str(json_get(b->spec, "dockerRegistrySecret"), "name"),
	             authorities = json_get_str(json_get(b->spec, "repoCAConfigMap"), "name");
	struct json *v;
	scratch(b, "klipper-helm", "/home/klipper-helm/.helm");
	scratch(b, "klipper-cache", "/home/klipper-helm/.cache");
	scratch(b, "klipper-config", "/home/klipper-helm/.config");
	scratch(b, "tmp", "/tmp");
	if (auth.len) {
		v = volume(b, "auth", "/auth", "secret");
		json_set_int(b->a, v, "defaultMode", 0644);
		json_set_str(b->a, v, "secretName", auth);
	}
	if (docker.len) {
		v = volume(b, "dockerconfig", "/home/klipper-helm/.docker", "secret");
		json_set_int(b->a, v, "defaultMode", 0644);
		json_set_str(b->a, v, "secretName", docker);
		item(b, v, SLICE(".dockerconfigjson"), "config.json");
	}
	if (authorities.len) {
		v = volume(b, "ca-files", "/ca-files", "configMap");
		json_set_int(b->a, v, "defaultMode", 0644);
		json_set_str(b->a, v, "name", authorities);
	}
	if (b->in->is_removal)
		return;
	plan_values(b);
	plan_content(b);
}

/* ---- the job ---- */

/* What brings the network or the nodes' provider can't wait for them. */
static void bootstrap(struct build *b)
{
	json_set_cstr(b->a, json_need(b->a, b->pod, "nodeSelector", JSON_OBJECT),
	        "node-role.kubernetes.io/control-plane", "true");
	json_set_bool(b->a, b->pod, "hostNetwork", true);
	json_set(b->a, b->pod, "tolerations",
	        json_literal(b->a,
	                "[{\"key\":\"node.kubernetes.io/not-ready\",\"effect\":\"NoSchedule\"},"
	                "{\"key\":\"node.kubernetes.io/network-unavailable\",\"effect\":\"NoSchedule\"},"
	                "{\"key\":\"node.cloudprovider.kubernetes.io/uninitialized\",\"operator\":\"Equal\","
	                "\"value\":\"true\",\"effect\":\"NoSchedule\"},"
	                "{\"key\":\"CriticalAddonsOnly\",\"operator\":\"Exists\"},"
	                "{\"key\":\"node-role.kubernetes.io/etcd\",\"operator\":\"Exists\",\"effect\":\"NoExecute\"},"
	                "{\"key\":\"node-role.kubernetes.io/control-plane\",\"operator\":\"Exists\","
	                "\"effect\":\"NoSchedule\"}]"));
	env(b, "KUBERNETES_SERVICE_HOST", "127.0.0.1");
	env(b, "KUBERNETES_SERVICE_PORT", arena_printf(b->a, "%d", b->in->api_port));
	env(b, "BOOTSTRAP", "true");
}

static void security(struct build *b)
{
	const struct json *pod = json_get(b->spec, "podSecurityContext"),
	                  *container = json_get(b->spec, "securityContext");
	json_set(b->a, b->pod, "securityContext",
	        pod ? json_copy(b->a, pod)
	            : json_literal(b->a, "{\"runAsNonRoot\":true,\"seccompProfile\":{\"type\":\"RuntimeDefault\"}}"));
	json_set(b->a, b->container, "securityContext",
	        container ? json_copy(b->a, container)
	                  : json_literal(b->a,
	                            "{\"allowPrivilegeEscalation\":false,\"capabilities\":{\"drop\":[\"ALL\"]},"
	                            "\"readOnlyRootFilesystem\":true}"));
}

static void label(struct build *b, struct json *object)
{
	json_set_str(b->a, json_need(b->a, json_need(b->a, object, "metadata", JSON_OBJECT), "labels", JSON_OBJECT),
	        CHART_LABEL, b->name);
}

static void frame(struct build *b)
{
	struct arena *a = b->a;
	struct chart_plan *p = b->plan;
	const struct json *tries = json_get(b->spec, "backOffLimit");
	p->job_name = chart_job_name(a, b->name, b->in->is_removal);
	p->job = owned(b, "batch/v1", "Job", p->job_name);
	label(b, p->job);
	struct json *spec = json_need(a, p->job, "spec", JSON_OBJECT);
	json_set_int(a, spec, "backoffLimit", tries ? json_int(tries, TRIES_DEFAULT) : TRIES_DEFAULT);
	b->template = json_need(a, spec, "template", JSON_OBJECT);
	label(b, b->template);
	b->pod = json_need(a, b->template, "spec", JSON_OBJECT);
	json_set_cstr(a, b->pod, "restartPolicy", "OnFailure");
	json_set_cstr(a, b->pod, "serviceAccountName", arena_printf(a, "helm-%.*s", SLICE_FMT(b->name)));
	json_set_cstr(a, b->pod, "priorityClassName", "system-cluster-critical");
	json_set_cstr(a, json_need(a, b->pod, "nodeSelector", JSON_OBJECT), "kubernetes.io/os", "linux");
	b->volumes = json_need(a, b->pod, "volumes", JSON_ARRAY);
	b->container = json_new(a, JSON_OBJECT);
	json_append(json_need(a, b->pod, "containers", JSON_ARRAY), b->container);
	json_set_cstr(a, b->container, "name", "helm");
	json_set_cstr(a, b->container, "image", chart_image(a, b->in));
	json_set_cstr(a, b->container, "imagePullPolicy", "IfNotPresent");
	b->env = json_need(a, b->container, "env", JSON_ARRAY);
	b->mounts = json_need(a, b->container, "volumeMounts", JSON_ARRAY);
}

static void plan_rights(struct build *b)
{
	struct arena *a = b->a;
	const char *account = arena_printf(a, "helm-%.*s", SLICE_FMT(b->name));
	struct json *subject = json_new(a, JSON_OBJECT), *role;
	b->plan->account = owned(b, "v1", "ServiceAccount", account);
	b->plan->binding = json_new(a, JSON_OBJECT);
	json_set_cstr(a, b->plan->binding, "apiVersion", "rbac.authorization.k8s.io/v1");
	json_set_cstr(a, b->plan->binding, "kind", "ClusterRoleBinding");
	struct json *meta = json_need(a, b->plan->binding, "metadata", JSON_OBJECT),
	            *labels = json_need(a, meta, "labels", JSON_OBJECT);
	json_set_cstr(a, meta, "name", chart_binding_name(a, b->ns, b->name));
	json_set_str(a, labels, CHART_LABEL, b->name);
	json_set_str(a, labels, CHART_NAMESPACE_LABEL, b->ns);
	role = json_need(a, b->plan->binding, "roleRef", JSON_OBJECT);
	json_set_cstr(a, role, "apiGroup", "rbac.authorization.k8s.io");
	json_set_cstr(a, role, "kind", "ClusterRole");
	json_set_cstr(a, role, "name", "cluster-admin");
	json_set_cstr(a, subject, "kind", "ServiceAccount");
	json_set_cstr(a, subject, "name", account);
	json_set_str(a, subject, "namespace", b->ns);
	json_append(json_need(a, b->plan->binding, "subjects", JSON_ARRAY), subject);
}

/* ---- the hash ---- */

static void add_data(struct strbuf *out, const struct json *object)
{
	if (json_get(object, "data"))
		json_write(out, json_get(object, "data"));
	strbuf_addc(out, '\n');
}

static void hash(struct build *b)
{
	struct strbuf seen = STRBUF_INIT;
	char hex[65];
	json_write(&seen, json_get(b->plan->job, "spec"));
	add_data(&seen, b->plan->values);
	add_data(&seen, b->plan->content);
	for (size_t i = 0; i < b->in->n_secrets; i++)
		add_data(&seen, b->in->secrets[i]);
	pki_sha256_hex(strbuf_cstr(&seen), seen.len, hex);
	strbuf_release(&seen);
	memcpy(b->plan->hash, hex, CHART_HASH_LEN);
	b->plan->hash[CHART_HASH_LEN] = '\0';
	json_set_cstr(b->a,
	        json_need(b->a, json_need(b->a, b->template, "metadata", JSON_OBJECT), "annotations", JSON_OBJECT),
	        CHART_HASH, b->plan->hash);
}

struct slice chart_job_hash(const struct json *job)
{
	const struct json *template = json_get(json_get(job, "spec"), "template");
	return json_get_str(json_get(json_get(template, "metadata"), "annotations"), CHART_HASH);
}

void chart_plan(struct arena *a, const struct chart_input *in, struct chart_plan *ret)
{
	struct build b = {.a = a,
	        .in = in,
	        .spec = json_get(in->chart, "spec"),
	        .config = in->is_removal ? NULL : json_get(in->config, "spec"),
	        .ns = of_meta(in->chart, "namespace"),
	        .name = of_meta(in->chart, "name"),
	        .uid = of_meta(in->chart, "uid"),
	        .plan = ret};
	*ret = (struct chart_plan){0};
	frame(&b);
	json_set(a, b.container, "args", arguments(&b));
	environment(&b);
	if (json_get_bool(b.spec, "bootstrap", false))
		bootstrap(&b);
	proxy_environment(&b);
	volumes(&b);
	security(&b);
	plan_rights(&b);
	hash(&b);
}

/* ---- releases ---- */

void chart_release_read(const struct json *list, struct chart_release *ret)
{
	*ret = (struct chart_release){0};
	JSON_FOREACH (it, json_get(list, "items")) {
		const struct json *labels = json_get(json_get(it, "metadata"), "labels");
		int64_t revision;
		if (!slice_to_i64(json_get_str(labels, "version"), &revision) || revision <= ret->revision)
			continue;
		*ret = (struct chart_release){
		        revision, json_get_str(labels, CHART_HASH), json_get_str(labels, "status")};
	}
}

void chart_expect(struct arena *a, struct chart_plan *plan, const struct chart_release *release)
{
	const struct json *pod =
	        json_get(json_get(json_get(json_get(plan->job, "spec"), "template"), "spec"), "containers");
	struct build b = {.a = a, .env = json_get(json_at(pod, 0), "env")};
	env(&b, "EXPECTED_RELEASE_REVISION", arena_printf(a, "%lld", (long long)release->revision));
	env(&b, "CONFIG_HASH", plan->hash);
}
