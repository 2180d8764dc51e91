/* ServiceAccount: a pod runs as an account of its namespace, which must exist, and gets the account's token and pull
 * secrets. */
#include "api/server/admission/admission_int.h"

#include "api/server/strategy.h"
#include "base/check.h"

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

int admit_service_account(struct admission *adm, struct err *err)
{
	struct arena *a = adm->arena;
	struct json *object = adm->object;
	struct json *spec = json_need(a, object, "spec", JSON_OBJECT);
	if (is_mirror_pod(object))
		return 0;
	struct slice name = json_get_str(spec, "serviceAccountName");
	if (!name.len)
		name = SLICE("default");
	json_set_str(a, spec, "serviceAccountName", name);
	json_set_str(a, spec, "serviceAccount", name);
	struct object *o = admission_lookup(adm, "", "serviceaccounts",
	        slice_of(arena_printf(a, "%.*s/%.*s", SLICE_FMT(adm->ns), SLICE_FMT(name))));
	if (!o)
		return err_set(err, ERR_FORBIDDEN,
		        "pods \"%.*s\" is forbidden: error looking up service account %.*s/%.*s: serviceaccount "
		        "\"%.*s\" not found",
		        SLICE_FMT(json_str(json_path(object, "metadata", "name", NULL))), SLICE_FMT(adm->ns),
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
