/* Admission: what upstream's default-on plugins do to objects before they are stored, as far as it is built:
 * NamespaceLifecycle, ServiceAccount, Priority, DefaultTolerationSeconds, TaintNodesByCondition, and the allocation of
 * service addresses. LimitRanger, ResourceQuota, PodSecurity and webhooks come with the policy work.
 *
 * Everything admission looks at (namespaces, service accounts, priority classes) lies in the watch cache, which the
 * caller has awaited, so nothing here waits. */
#include "api/server/write_int.h"

#include "api/machinery/schema/kind_ops.h"

enum { NOT_READY_TOLERATION_S = 300 };

static struct object *lookup(struct call *c, const char *group, const char *plural, struct slice key)
{
	const struct resource *r = resource_find_preferred(slice_of(group), slice_of(plural));
	return r ? cache_get(cache_resource(c->server->cache, r), key) : NULL;
}

/* ---- NamespaceLifecycle ---- */

int admission_check(struct call *c, const struct resource *r, struct slice ns, struct err *err)
{
	if (!r->namespaced)
		return 0;
	struct object *o = lookup(c, "", "namespaces", ns);
	if (!o)
		return err_set(err, ERR_NOT_FOUND, "namespaces \"%.*s\" not found", SLICE_FMT(ns));
	struct arena a = ARENA_INIT;
	struct json *tree = json_parse(&a, object_text(o), NULL, NULL);
	bool dying = json_path(tree, "metadata", "deletionTimestamp", NULL) != NULL;
	arena_release(&a);
	if (dying)
		return err_set(err, ERR_FORBIDDEN,
		        "unable to create new content in namespace %.*s because it is being terminated", SLICE_FMT(ns));
	return 0;
}

/* ---- ServiceAccount ---- */

static struct json *parsed(struct arena *a, const char *text)
{
	return json_parse(a, slice_of(text), NULL, NULL);
}

static const char token_mount_path[] = "/var/run/secrets/kubernetes.io/serviceaccount";

static bool mounts_token(const struct json *container)
{
	JSON_FOREACH (m, json_get(container, "volumeMounts"))
		if (slice_is(json_get_str(m, "mountPath"), token_mount_path))
			return true;
	return false;
}

static void mount_token(struct arena *a, struct json *spec)
{
	const char *volume = arena_printf(a, "kube-api-access-%s", strategy_random_suffix(a));
	bool used = false;
	static const char *const lists[] = {"initContainers", "containers"};
	for (size_t i = 0; i < 2; i++)
		JSON_FOREACH (container, json_get(spec, lists[i])) {
			if (mounts_token(container))
				continue;
			struct json *mount = json_new(a, JSON_OBJECT);
			json_set_cstr(a, mount, "name", volume);
			json_set_bool(a, mount, "readOnly", true);
			json_set_cstr(a, mount, "mountPath", token_mount_path);
			json_append(json_need(a, container, "volumeMounts", JSON_ARRAY), mount);
			used = true;
		}
	if (!used)
		return;
	const char *text = arena_printf(a,
	        "{\"name\":\"%s\",\"projected\":{\"sources\":[{\"serviceAccountToken\":{\"expirationSeconds\":3607,"
	        "\"path\":\"token\"}},"
	        "{\"configMap\":{\"name\":\"kube-root-ca.crt\",\"items\":[{\"key\":\"ca.crt\",\"path\":\"ca.crt\"}]}},"
	        "{\"downwardAPI\":{\"items\":[{\"path\":\"namespace\",\"fieldRef\":{\"apiVersion\":\"v1\","
	        "\"fieldPath\":\"metadata.namespace\"}}]}}],"
	        "\"defaultMode\":420}}",
	        volume);
	json_append(json_need(a, spec, "volumes", JSON_ARRAY), parsed(a, text));
}

static bool is_mirror_pod(const struct json *object)
{
	return json_get(json_path(object, "metadata", "annotations", NULL), "kubernetes.io/config.mirror") != NULL;
}

static int admit_service_account(struct call *c, struct json *object, struct err *err)
{
	struct arena *a = &c->arena;
	struct json *spec = json_need(a, object, "spec", JSON_OBJECT);
	if (is_mirror_pod(object))
		return 0;
	struct slice name = json_get_str(spec, "serviceAccountName");
	if (!name.len)
		name = SLICE("default");
	json_set_str(a, spec, "serviceAccountName", name);
	json_set_str(a, spec, "serviceAccount", name);
	struct object *o = lookup(c, "", "serviceaccounts",
	        slice_of(arena_printf(a, "%.*s/%.*s", SLICE_FMT(c->route.ns), SLICE_FMT(name))));
	if (!o)
		return err_set(err, ERR_FORBIDDEN,
		        "pods \"%.*s\" is forbidden: error looking up service account %.*s/%.*s: serviceaccount "
		        "\"%.*s\" not found",
		        SLICE_FMT(json_str(json_path(object, "metadata", "name", NULL))), SLICE_FMT(c->route.ns),
		        SLICE_FMT(name), SLICE_FMT(name));
	struct json *account = json_parse(a, object_text(o), NULL, NULL);
	if (json_bool(json_get(spec, "automountServiceAccountToken"),
	            json_get_bool(account, "automountServiceAccountToken", true)))
		mount_token(a, spec);
	struct json *secrets = json_get(account, "imagePullSecrets"), *own = json_get(spec, "imagePullSecrets");
	if (secrets && secrets->first && !(own && own->first))
		json_set(a, spec, "imagePullSecrets", json_copy(a, secrets));
	return 0;
}

/* ---- Priority ---- */

static int admit_priority(struct call *c, struct json *object, struct err *err)
{
	struct arena *a = &c->arena;
	struct json *spec = json_get(object, "spec");
	struct slice name = json_get_str(spec, "priorityClassName");
	int64_t value = 0;
	if (name.len) {
		struct object *o = lookup(c, "scheduling.k8s.io", "priorityclasses", name);
		if (!o)
			return err_set(err, ERR_FORBIDDEN,
			        "pods \"%.*s\" is forbidden: no PriorityClass with name %.*s was found",
			        SLICE_FMT(json_str(json_path(object, "metadata", "name", NULL))), SLICE_FMT(name));
		struct json *class = json_parse(a, object_text(o), NULL, NULL);
		value = json_get_int(class, "value", 0);
		if (json_get_str(class, "preemptionPolicy").len && !json_get(spec, "preemptionPolicy"))
			json_set_str(a, spec, "preemptionPolicy", json_get_str(class, "preemptionPolicy"));
	}
	json_set_int(a, spec, "priority", value);
	if (!json_get(spec, "preemptionPolicy"))
		json_set_cstr(a, spec, "preemptionPolicy", "PreemptLowerPriority");
	return 0;
}

/* ---- DefaultTolerationSeconds ---- */

static bool tolerates(const struct json *tolerations, const char *key)
{
	JSON_FOREACH (t, tolerations) {
		struct slice k = json_get_str(t, "key"), effect = json_get_str(t, "effect");
		if ((slice_is(k, key) || !k.len) && (!effect.len || slice_is(effect, "NoExecute")))
			return true;
	}
	return false;
}

static void admit_tolerations(struct arena *a, struct json *spec)
{
	static const char *const keys[] = {"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"};
	for (size_t i = 0; i < COUNT_OF(keys); i++) {
		if (tolerates(json_get(spec, "tolerations"), keys[i]))
			continue;
		struct json *t = json_new(a, JSON_OBJECT);
		json_set_cstr(a, t, "key", keys[i]);
		json_set_cstr(a, t, "operator", "Exists");
		json_set_cstr(a, t, "effect", "NoExecute");
		json_set_int(a, t, "tolerationSeconds", NOT_READY_TOLERATION_S);
		json_append(json_need(a, spec, "tolerations", JSON_ARRAY), t);
	}
}

/* ---- TaintNodesByCondition ---- */

static void admit_node(struct arena *a, struct json *object)
{
	static const char key[] = "node.kubernetes.io/not-ready";
	struct json *taints = json_need(a, json_need(a, object, "spec", JSON_OBJECT), "taints", JSON_ARRAY);
	JSON_FOREACH (t, taints)
		if (slice_is(json_get_str(t, "key"), key) && slice_is(json_get_str(t, "effect"), "NoSchedule"))
			return;
	struct json *t = json_new(a, JSON_OBJECT);
	json_set_cstr(a, t, "key", key);
	json_set_cstr(a, t, "effect", "NoSchedule");
	json_append(taints, t);
}

/* ---- the order ---- */

static int admit_pod(struct call *c, struct json *object, struct err *err)
{
	if (admit_service_account(c, object, err) != 0 || admit_priority(c, object, err) != 0)
		return err->code;
	admit_tolerations(&c->arena, json_get(object, "spec"));
	return 0;
}

int admission_mutate(
        struct call *c, const struct resource *r, struct json *object, const struct json *old, struct err *err)
{
	if (resource_has(r, KIND_IS_SERVICE))
		return service_allocate(c, object, old, err);
	if (old)
		return 0;
	if (resource_has(r, KIND_IS_NODE))
		admit_node(&c->arena, object);
	return resource_has(r, KIND_IS_POD) ? admit_pod(c, object, err) : 0;
}
