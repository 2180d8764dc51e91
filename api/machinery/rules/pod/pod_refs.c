/* See pod_refs.h. Upstream: VisitPodSecretNames and its like, pkg/api/v1/pod. */
#include "api/machinery/rules/pod/pod_refs.h"

#include "base/check.h"
#include "base/mem/str.h"

struct refs {
	void (*fn)(void *arg, enum pod_ref kind, struct slice name);
	void *arg;
};

static void tell(const struct refs *r, enum pod_ref kind, struct slice name)
{
	if (name.len)
		r->fn(r->arg, kind, name);
}

static void refs_of_container(const struct refs *r, const struct json *container)
{
	JSON_FOREACH (env, json_get(container, "env")) {
		struct json *from = json_get(env, "valueFrom");
		tell(r, POD_REF_SECRET, json_str(json_path(from, "secretKeyRef", "name", NULL)));
		tell(r, POD_REF_CONFIG_MAP, json_str(json_path(from, "configMapKeyRef", "name", NULL)));
	}
	JSON_FOREACH (env, json_get(container, "envFrom")) {
		tell(r, POD_REF_SECRET, json_str(json_path(env, "secretRef", "name", NULL)));
		tell(r, POD_REF_CONFIG_MAP, json_str(json_path(env, "configMapRef", "name", NULL)));
	}
}

static void refs_of_projection(const struct refs *r, const struct json *volume)
{
	JSON_FOREACH (source, json_path(volume, "projected", "sources", NULL)) {
		tell(r, POD_REF_SECRET, json_str(json_path(source, "secret", "name", NULL)));
		tell(r, POD_REF_CONFIG_MAP, json_str(json_path(source, "configMap", "name", NULL)));
	}
}

static void refs_of_volume(const struct refs *r, const struct json *pod, const struct json *volume)
{
	static const char *const by_ref[] = {"cephfs", "cinder", "flexVolume", "rbd", "scaleIO", "iscsi", "storageos"};
	for (size_t i = 0; i < COUNT_OF(by_ref); i++)
		tell(r, POD_REF_SECRET, json_str(json_path(volume, by_ref[i], "secretRef", "name", NULL)));
	tell(r, POD_REF_SECRET, json_str(json_path(volume, "secret", "secretName", NULL)));
	tell(r, POD_REF_SECRET, json_str(json_path(volume, "azureFile", "secretName", NULL)));
	tell(r, POD_REF_SECRET, json_str(json_path(volume, "csi", "nodePublishSecretRef", "name", NULL)));
	tell(r, POD_REF_CONFIG_MAP, json_str(json_path(volume, "configMap", "name", NULL)));
	tell(r, POD_REF_CLAIM, json_str(json_path(volume, "persistentVolumeClaim", "claimName", NULL)));
	refs_of_projection(r, volume);
	if (json_get(volume, "ephemeral")) { /* its claim is called POD-VOLUME */
		CLEANUP(cleanup_strbuf) struct strbuf name = STRBUF_INIT;
		strbuf_add_slice(&name, json_str(json_path(pod, "metadata", "name", NULL)));
		strbuf_addc(&name, '-');
		strbuf_add_slice(&name, json_get_str(volume, "name"));
		tell(r, POD_REF_CLAIM, strbuf_slice(&name));
	}
}

void pod_refs_each(const struct json *pod, void (*fn)(void *arg, enum pod_ref kind, struct slice name), void *arg)
{
	static const char *const lists[] = {"initContainers", "containers", "ephemeralContainers"};
	struct refs r = {fn, arg};
	struct json *spec = json_get(pod, "spec");
	for (size_t i = 0; i < COUNT_OF(lists); i++)
		JSON_FOREACH (container, json_get(spec, lists[i]))
			refs_of_container(&r, container);
	JSON_FOREACH (secret, json_get(spec, "imagePullSecrets"))
		tell(&r, POD_REF_SECRET, json_get_str(secret, "name"));
	JSON_FOREACH (volume, json_get(spec, "volumes"))
		refs_of_volume(&r, pod, volume);
	tell(&r, POD_REF_ACCOUNT, json_get_str(spec, "serviceAccountName"));
}
