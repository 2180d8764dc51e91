/* What a driver is asked, from what the API says: pure. Messages and their strings lie in the arena, or in the trees of
 * the facts. */
#ifndef K3X_NODE_CSI_REQUEST_INT_H
#define K3X_NODE_CSI_REQUEST_INT_H

#include "base/json/json.h"
#include "node/csi/rpc_int.h"

/* NodeServiceCapability.RPC.Type, as bits of `capabilities`. */
enum csi_capability {
	CSI_STAGES = 1 << 1,
	CSI_TELLS_STATS = 1 << 2,
	CSI_EXPANDS = 1 << 3,
	CSI_TELLS_CONDITION = 1 << 4,
	CSI_SINGLE_NODE_MULTI_WRITER = 1 << 5,
	CSI_MOUNTS_GROUP = 1 << 6,
};

struct csi_facts {
	const char *driver, *handle;
	const struct json *source;  /* PersistentVolume.spec.csi, or a pod's volume.csi */
	const struct json *pv_spec; /* NULL: inline */
	const struct json *kind;    /* CSIDriver.spec; NULL: there is no such object, and the defaults hold */
	const struct json *pod;
	const struct json *publish_context;                               /* attachmentMetadata; NULL: none */
	const struct json *stage_secret, *publish_secret, *expand_secret; /* Secrets; NULL: none is named */
	const char *tokens;    /* of service accounts, as JSON; NULL: none are asked for */
	unsigned capabilities; /* enum csi_capability */
	bool is_block, is_read_only;
	const char *staging_path, *publish_path;
};

/* What CSIDriver.spec says, with its defaults. */
bool csi_kind_attaches(const struct json *kind);
bool csi_kind_republishes(const struct json *kind);
/* volumeLifecycleModes has the mode: "Persistent", "Ephemeral". */
bool csi_kind_has_mode(const struct json *kind, const char *mode);

/* The handle that an inline volume gets: csi-sha256(UID NAME). */
const char *csi_inline_handle(struct arena *a, const char *uid, struct slice volume);
/* "csi-" and the hash by which the attach-detach controller names the VolumeAttachment. */
const char *csi_attachment_name(struct arena *a, const char *handle, const char *driver, const char *node);

/* AccessMode.Mode for the modes of a volume; inline ones are read and written by one. */
int csi_access_mode(const struct json *access_modes, unsigned capabilities);
/* fsGroup that is ours to give once the volume is mounted; -1: none, or the driver does it. */
int64_t csi_group_to_give(const struct csi_facts *f);

CSI(NodeStageVolumeRequest) * csi_stage_request(struct arena *a, const struct csi_facts *f);
CSI(NodePublishVolumeRequest) * csi_publish_request(struct arena *a, const struct csi_facts *f);
CSI(NodeExpandVolumeRequest) * csi_expand_request(struct arena *a, const struct csi_facts *f, int64_t bytes);

#endif
