/* ServiceAccount: a pod runs as an account of its namespace, which must exist, and gets the account's token and pull
 * secrets; where the account says so, it uses no others than the account's, nor do the ephemeral containers that it
 * gets later. A mirror pod has none of it. Upstream: plugin/pkg/admission/serviceaccount; the words are its, but where
 * an ephemeral container is refused, which upstream answers with 500. */
#include "api/server/admission/admission.h"
#include "api/server/admission/plugin.h"

#include "api/machinery/rules/pod/pod_refs.h"
#include "api/server/call.h"
#include "api/server/strategy.h"
#include "base/check.h"

static const char enforce_annotation[] = "kubernetes.io/enforce-mountable-secrets";

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

static struct json *account_of(struct admission *a, struct slice name)
{
	struct object *o = admission_lookup(a, "", "serviceaccounts",
	        slice_of(arena_printf(a->arena, "%.*s/%.*s", SLICE_FMT(a->ns), SLICE_FMT(name))));
	return o ? json_parse(a->arena, object_text(o), NULL, NULL) : NULL;
}

static struct json *need_account(struct admission *a, struct slice name, struct err *err)
{
	struct json *account = account_of(a, name);
	if (!account)
		admission_forbid(a, err,
		        arena_printf(a->arena,
		                "error looking up service account %.*s/%.*s: serviceaccount \"%.*s\" not found",
		                SLICE_FMT(a->ns), SLICE_FMT(name), SLICE_FMT(name)));
	return account;
}

int admit_service_account(struct admission *adm, struct err *err)
{
	struct arena *a = adm->arena;
	struct json *object = adm->object;
	if (adm->operation != ADMISSION_CREATE || is_mirror_pod(object))
		return 0;
	struct json *spec = json_need(a, object, "spec", JSON_OBJECT);
	struct slice name = json_get_str(spec, "serviceAccountName");
	if (!name.len)
		name = SLICE("default");
	json_set_str(a, spec, "serviceAccountName", name);
	json_set_str(a, spec, "serviceAccount", name);
	struct json *account = need_account(adm, name, err);
	if (!account)
		return err->code;
	if (json_bool(json_get(spec, "automountServiceAccountToken"),
	            json_get_bool(account, "automountServiceAccountToken", true)))
		mount_token(a, spec);
	struct json *secrets = json_get(account, "imagePullSecrets"), *own = json_get(spec, "imagePullSecrets");
	if (secrets && secrets->first && !(own && own->first))
		json_set(a, spec, "imagePullSecrets", json_copy(a, secrets));
	return 0;
}

/* ---- what it may not have ---- */

static bool lists(const struct json *references, struct slice name)
{
	JSON_FOREACH (it, references)
		if (slice_eq(json_get_str(it, "name"), name))
			return true;
	return false;
}

static int check_environment(struct admission *a, const struct json *account, const char *what,
        const struct json *container, struct err *err)
{
	const struct json *secrets = json_get(account, "secrets");
	struct slice of = json_get_str(container, "name"), who = json_str(json_path(account, "metadata", "name", NULL));
	JSON_FOREACH (it, json_get(container, "env")) {
		const struct json *ref = json_path(it, "valueFrom", "secretKeyRef", NULL);
		if (ref && !lists(secrets, json_get_str(ref, "name")))
			return admission_forbid(a, err,
			        arena_printf(a->arena,
			                "%s %.*s with envVar %.*s referencing secret.secretName=\"%.*s\" is not "
			                "allowed "
			                "because service account %.*s does not reference that secret",
			                what, SLICE_FMT(of), SLICE_FMT(json_get_str(it, "name")),
			                SLICE_FMT(json_get_str(ref, "name")), SLICE_FMT(who)));
	}
	JSON_FOREACH (it, json_get(container, "envFrom")) {
		const struct json *ref = json_get(it, "secretRef");
		if (ref && !lists(secrets, json_get_str(ref, "name")))
			return admission_forbid(a, err,
			        arena_printf(a->arena,
			                "%s %.*s with envFrom referencing secret.secretName=\"%.*s\" is not allowed "
			                "because service account %.*s does not reference that secret",
			                what, SLICE_FMT(of), SLICE_FMT(json_get_str(ref, "name")), SLICE_FMT(who)));
	}
	return 0;
}

static int check_secrets(struct admission *a, const struct json *account, const struct json *spec, struct err *err)
{
	static const char *const lists_of[][2] = {{"initContainers", "init container"}, {"containers", "container"}};
	struct slice who = json_str(json_path(account, "metadata", "name", NULL));
	int i = 0;
	JSON_FOREACH (it, json_get(spec, "volumes")) {
		struct slice name = json_str(json_path(it, "secret", "secretName", NULL));
		if (json_get(it, "secret") && !lists(json_get(account, "secrets"), name))
			return admission_forbid(a, err,
			        arena_printf(a->arena,
			                "volume with secret.secretName=\"%.*s\" is not allowed because service account "
			                "%.*s does not reference that secret",
			                SLICE_FMT(name), SLICE_FMT(who)));
	}
	for (size_t k = 0; k < 2; k++)
		JSON_FOREACH (c, json_get(spec, lists_of[k][0]))
			if (check_environment(a, account, lists_of[k][1], c, err) != 0)
				return err->code;
	JSON_FOREACH (it, json_get(spec, "imagePullSecrets")) {
		if (!lists(json_get(account, "imagePullSecrets"), json_get_str(it, "name")))
			return admission_forbid(a, err,
			        arena_printf(a->arena,
			                "imagePullSecrets[%d].name=\"%.*s\" is not allowed because service account "
			                "%.*s "
			                "does not reference that imagePullSecret",
			                i, SLICE_FMT(json_get_str(it, "name")), SLICE_FMT(who)));
		i++;
	}
	return 0;
}

static void note_secret(void *arg, enum pod_ref kind, struct slice name)
{
	*(bool *)arg |= kind == POD_REF_SECRET;
}

static int check_mirror(struct admission *a, const struct json *spec, struct err *err)
{
	bool has_secrets = false;
	if (json_get_str(spec, "serviceAccountName").len)
		return admission_forbid(a, err, "a mirror pod may not reference service accounts");
	pod_refs_each(a->object, note_secret, &has_secrets);
	if (has_secrets)
		return admission_forbid(a, err, "a mirror pod may not reference secrets");
	JSON_FOREACH (volume, json_get(spec, "volumes"))
		JSON_FOREACH (source, json_path(volume, "projected", "sources", NULL))
			if (json_get(source, "serviceAccountToken"))
				return admission_forbid(
				        a, err, "a mirror pod may not use ServiceAccountToken volume projections");
	return 0;
}

/* As Go reads a boolean. */
static bool is_enforced(const struct json *account)
{
	static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True"};
	struct slice value = json_str(json_path(account, "metadata", "annotations", enforce_annotation, NULL));
	for (size_t i = 0; i < COUNT_OF(yes); i++)
		if (slice_is(value, yes[i]))
			return true;
	return false;
}

/* Those that a pod gets while it runs. */
static int check_ephemeral(struct admission *a, const struct json *spec, struct err *err)
{
	struct slice name = json_get_str(spec, "serviceAccountName");
	if (!name.len)
		return admission_forbid(a, err,
		        arena_printf(a->arena, "no service account specified for pod %.*s/%.*s", SLICE_FMT(a->ns),
		                SLICE_FMT(a->name)));
	struct json *account = need_account(a, name, err);
	if (!account || !is_enforced(account))
		return err->code;
	JSON_FOREACH (it, json_get(spec, "ephemeralContainers"))
		if (check_environment(a, account, "ephemeral container", it, err) != 0)
			return err->code;
	return 0;
}

int admit_account_secrets(struct admission *a, struct err *err)
{
	const struct json *spec = json_get(a->object, "spec");
	if (a->operation != ADMISSION_CREATE)
		return *a->sub ? check_ephemeral(a, spec, err) : 0;
	if (is_mirror_pod(a->object))
		return check_mirror(a, spec, err);
	struct json *account = account_of(a, json_get_str(spec, "serviceAccountName"));
	return is_enforced(account) ? check_secrets(a, account, spec, err) : 0;
}

int warn_of_enforced_secrets(struct admission *a, struct err *err)
{
	if (strcmp(a->resource->plural, "serviceaccounts") == 0 && !*a->resource->group &&
	        json_path(a->object, "metadata", "annotations", enforce_annotation, NULL) &&
	        !json_path(a->old, "metadata", "annotations", enforce_annotation, NULL))
		call_warn(a->call,
		        arena_printf(a->arena,
		                "metadata.annotations[%s]: deprecated in v1.32+; prefer separate namespaces to isolate "
		                "access to mounted secrets",
		                enforce_annotation));
	return 0;
}
