/* See request_int.h. Upstream: pkg/volume/csi (csi_mounter.go, csi_attacher.go, csi_client.go, csi_util.go). */
#include "node/csi/request_int.h"

#include "base/base64.h"
#include "base/pki/pki.h"

#define INFO "csi.storage.k8s.io/"

/* ---- CSIDriver ---- */

bool csi_kind_attaches(const struct json *kind)
{
	return json_get_bool(kind, "attachRequired", true);
}

bool csi_kind_republishes(const struct json *kind)
{
	return json_get_bool(kind, "requiresRepublish", false);
}

bool csi_kind_has_mode(const struct json *kind, const char *mode)
{
	const struct json *modes = json_get(kind, "volumeLifecycleModes");
	JSON_FOREACH (it, modes)
		if (slice_is(json_str(it), mode))
			return true;
	return (!modes || !modes->count) && strcmp(mode, "Persistent") == 0;
}

/* ---- names ---- */

const char *csi_inline_handle(struct arena *a, const char *uid, struct slice volume)
{
	char hex[65];
	const char *text = arena_printf(a, "%s%.*s", uid, SLICE_FMT(volume));
	pki_sha256_hex(text, strlen(text), hex);
	return arena_printf(a, "csi-%s", hex);
}

const char *csi_attachment_name(struct arena *a, const char *handle, const char *driver, const char *node)
{
	char hex[65];
	const char *text = arena_printf(a, "%s%s%s", handle, driver, node);
	pki_sha256_hex(text, strlen(text), hex);
	return arena_printf(a, "csi-%s", hex);
}

/* ---- parts of requests ---- */

static CSI(Entry) * entry(struct arena *a, const char *key, const char *value)
{
	CSI(Entry) *e = ARENA_NEW(a, CSI(Entry));
	csi__v1__entry__init(e);
	e->key = (char *)key;
	e->value = (char *)value;
	return e;
}

/* An object of strings; `extra`: room for more. */
static CSI(Entry) * *entries(struct arena *a, const struct json *object, size_t extra, size_t *count)
{
	CSI(Entry) **list = ARENA_ARRAY(a, CSI(Entry) *, (object ? object->count : 0) + extra + 1);
	*count = 0;
	JSON_FOREACH (it, object)
		list[(*count)++] = entry(a, arena_memdup(a, it->key.ptr, it->key.len), json_cstr(a, it));
	return list;
}

/* What of a secret is no text ends at its first zero byte, for a field of a driver's is a text. */
static CSI(Entry) * *secrets(struct arena *a, const struct json *secret, size_t *count)
{
	const struct json *data = json_get(secret, "data");
	CSI(Entry) **list = ARENA_ARRAY(a, CSI(Entry) *, (data ? data->count : 0) + 1);
	struct slice value;
	*count = 0;
	JSON_FOREACH (it, data)
		if (base64_decode(a, json_str(it), &value))
			list[(*count)++] = entry(a, arena_memdup(a, it->key.ptr, it->key.len),
			        arena_memdup(a, value.ptr ? value.ptr : "", value.len));
	return list;
}

int csi_access_mode(const struct json *access_modes, unsigned capabilities)
{
	enum { SINGLE_WRITER = 1, MANY_READERS = 3, MANY_WRITERS = 5, SINGLE_POD = 6, SINGLE_NODE = 7 };
	struct slice mode = json_str(json_at(access_modes, 0));
	bool tells_pods = capabilities & CSI_SINGLE_NODE_MULTI_WRITER;
	if (slice_is(mode, "ReadOnlyMany"))
		return MANY_READERS;
	if (slice_is(mode, "ReadWriteMany"))
		return MANY_WRITERS;
	if (slice_is(mode, "ReadWriteOncePod"))
		return tells_pods ? SINGLE_POD : SINGLE_WRITER;
	return tells_pods ? SINGLE_NODE : SINGLE_WRITER;
}

static int64_t group_of(const struct csi_facts *f)
{
	return json_get_int(json_path(f->pod, "spec", "securityContext", NULL), "fsGroup", -1);
}

static CSI(VolumeCapability) * capability(struct arena *a, const struct csi_facts *f)
{
	CSI(VolumeCapability) *c = ARENA_NEW(a, CSI(VolumeCapability));
	CSI(AccessMode) *mode = ARENA_NEW(a, CSI(AccessMode));
	csi__v1__volume_capability__init(c);
	csi__v1__access_mode__init(mode);
	c->access_mode = mode;
	mode->mode = csi_access_mode(json_get(f->pv_spec, "accessModes"), f->capabilities);
	if (f->is_block) {
		c->access_type_case = CSI__V1__VOLUME_CAPABILITY__ACCESS_TYPE_BLOCK;
		c->block = ARENA_NEW(a, CSI(Empty));
		csi__v1__empty__init(c->block);
		return c;
	}
	const struct json *options = json_get(f->pv_spec, "mountOptions");
	c->access_type_case = CSI__V1__VOLUME_CAPABILITY__ACCESS_TYPE_MOUNT;
	c->mount = ARENA_NEW(a, CSI(MountVolume));
	csi__v1__mount_volume__init(c->mount);
	c->mount->fs_type = (char *)json_cstr(a, json_get(f->source, "fsType"));
	c->mount->mount_flags = ARENA_ARRAY(a, char *, options ? options->count + 1 : 1);
	JSON_FOREACH (it, options)
		c->mount->mount_flags[c->mount->n_mount_flags++] = (char *)json_cstr(a, it);
	if ((f->capabilities & CSI_MOUNTS_GROUP) && group_of(f) >= 0)
		c->mount->volume_mount_group = arena_printf(a, "%lld", (long long)group_of(f));
	return c;
}

/* ---- fsGroup ---- */

static bool is_written_by_one(const struct json *access_modes)
{
	JSON_FOREACH (it, access_modes)
		if (slice_is(json_str(it), "ReadWriteOnce") || slice_is(json_str(it), "ReadWriteOncePod"))
			return true;
	return false;
}

int64_t csi_group_to_give(const struct csi_facts *f)
{
	struct slice policy = json_get_str(f->kind, "fsGroupPolicy");
	int64_t gid = group_of(f);
	if (gid < 0 || f->is_block || f->is_read_only || (f->capabilities & CSI_MOUNTS_GROUP) ||
	        slice_is(policy, "None"))
		return -1;
	if (slice_is(policy, "File"))
		return gid;
	if (!json_get_str(f->source, "fsType").len)
		return -1;
	return !f->pv_spec || is_written_by_one(json_get(f->pv_spec, "accessModes")) ? gid : -1;
}

/* ---- requests ---- */

static CSI(Entry) * *publish_attributes(struct arena *a, const struct csi_facts *f, size_t *count)
{
	const struct json *meta = json_get(f->pod, "metadata"), *spec = json_get(f->pod, "spec");
	CSI(Entry) **list = entries(a, json_get(f->source, "volumeAttributes"), 6, count);
	if (json_get_bool(f->kind, "podInfoOnMount", false)) {
		const char *account = json_cstr(a, json_get(spec, "serviceAccountName"));
		list[(*count)++] = entry(a, INFO "pod.name", json_cstr(a, json_get(meta, "name")));
		list[(*count)++] = entry(a, INFO "pod.namespace", json_cstr(a, json_get(meta, "namespace")));
		list[(*count)++] = entry(a, INFO "pod.uid", json_cstr(a, json_get(meta, "uid")));
		list[(*count)++] = entry(a, INFO "serviceAccount.name", account);
		list[(*count)++] = entry(a, INFO "ephemeral", f->pv_spec ? "false" : "true");
	}
	if (f->tokens)
		list[(*count)++] = entry(a, INFO "serviceAccount.tokens", f->tokens);
	return list;
}

CSI(NodeStageVolumeRequest) * csi_stage_request(struct arena *a, const struct csi_facts *f)
{
	CSI(NodeStageVolumeRequest) *q = ARENA_NEW(a, CSI(NodeStageVolumeRequest));
	csi__v1__node_stage_volume_request__init(q);
	q->volume_id = (char *)f->handle;
	q->staging_target_path = (char *)f->staging_path;
	q->volume_capability = capability(a, f);
	q->publish_context = entries(a, f->publish_context, 0, &q->n_publish_context);
	q->secrets = secrets(a, f->stage_secret, &q->n_secrets);
	q->volume_context = entries(a, json_get(f->source, "volumeAttributes"), 0, &q->n_volume_context);
	return q;
}

CSI(NodePublishVolumeRequest) * csi_publish_request(struct arena *a, const struct csi_facts *f)
{
	CSI(NodePublishVolumeRequest) *q = ARENA_NEW(a, CSI(NodePublishVolumeRequest));
	csi__v1__node_publish_volume_request__init(q);
	q->volume_id = (char *)f->handle;
	q->target_path = (char *)f->publish_path;
	if (f->pv_spec && (f->capabilities & CSI_STAGES))
		q->staging_target_path = (char *)f->staging_path;
	q->readonly = f->is_read_only;
	q->volume_capability = capability(a, f);
	q->publish_context = entries(a, f->publish_context, 0, &q->n_publish_context);
	q->secrets = secrets(a, f->publish_secret, &q->n_secrets);
	q->volume_context = publish_attributes(a, f, &q->n_volume_context);
	return q;
}

CSI(NodeExpandVolumeRequest) * csi_expand_request(struct arena *a, const struct csi_facts *f, int64_t bytes)
{
	CSI(NodeExpandVolumeRequest) *q = ARENA_NEW(a, CSI(NodeExpandVolumeRequest));
	csi__v1__node_expand_volume_request__init(q);
	q->volume_id = (char *)f->handle;
	q->volume_path = (char *)f->publish_path;
	if (f->capabilities & CSI_STAGES)
		q->staging_target_path = (char *)f->staging_path;
	q->capacity_range = ARENA_NEW(a, CSI(CapacityRange));
	csi__v1__capacity_range__init(q->capacity_range);
	q->capacity_range->required_bytes = bytes;
	q->volume_capability = capability(a, f);
	q->secrets = secrets(a, f->expand_secret, &q->n_secrets);
	return q;
}
