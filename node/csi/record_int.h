/* What is remembered of CSI volumes on the node's disk, in upstream's places and form, so that nothing is lost with our
 * process:
 *
 *     ROOT/plugins/kubernetes.io/csi/DRIVER/sha256(HANDLE)/globalmount      where a volume is staged
 *     ROOT/plugins/kubernetes.io/csi/DRIVER/sha256(HANDLE)/vol_data.json    which one that is
 *     ROOT/pods/UID/volumes/kubernetes.io~csi/NAME/mount                    where it is published for a pod
 *     ROOT/pods/UID/volumes/kubernetes.io~csi/NAME/vol_data.json
 *
 * and of block devices:
 *
 *     ROOT/plugins/kubernetes.io/csi/volumeDevices/staging/PV
 *     ROOT/plugins/kubernetes.io/csi/volumeDevices/PV/data/vol_data.json
 *     ROOT/plugins/kubernetes.io/csi/volumeDevices/publish/PV/UID
 *     ROOT/pods/UID/volumeDevices/kubernetes.io~csi/PV                      a link to it
 *
 * A record is written before the driver is asked, and removed after it has undone what it did. Blocks, briefly; any
 * thread. */
#ifndef K3X_NODE_CSI_RECORD_INT_H
#define K3X_NODE_CSI_RECORD_INT_H

#include "base/err.h"
#include "base/mem/arena.h"
#include "base/mem/str.h"

#define CSI_PLUGIN "kubernetes.io/csi"

/* A volume, and its use by a pod when `uid` is set. */
struct csi_record {
	const char *driver, *handle;
	const char *name; /* the PV's, or the volume's in its pod */
	const char *uid;  /* NULL: staged */
	const char *node, *attachment;
	bool is_inline, is_block;
	bool is_mounted; /* of a use that was found: something is mounted there */
};

const char *record_staging_path(struct arena *a, const char *root, const struct csi_record *r);
const char *record_publish_path(struct arena *a, const char *root, const struct csi_record *r);

/* Writes it, with the folders that the driver is given: of a use its publish path's parent, of a staged volume the
 * staging path itself. */
int record_write(const char *root, const struct csi_record *r, struct err *err);
/* Removes it, and the folders. ERR_BUSY: something is still mounted there. */
int record_remove(const char *root, const struct csi_record *r, struct err *err);

/* vol_data.json. Strings lie in the arena. ERR_CORRUPT: it is none. */
int record_read(struct slice text, struct arena *a, struct csi_record *ret, struct err *err);

/* Calls fn() for every record below root: staged volumes first. What cannot be read is told in the log and left. */
void record_walk(const char *root, void (*fn)(void *arg, const struct csi_record *r), void *arg);

#endif
