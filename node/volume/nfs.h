/* What is mounted for an nfs volume, and how: pure functions. The doing is nfs_mount.h's. Any thread. */
#ifndef K3X_NODE_VOLUME_NFS_H
#define K3X_NODE_VOLUME_NFS_H

#include "base/json/json.h"

struct pod;

struct nfs_source {
	const char *what;    /* "server:/path", an IPv6 address in brackets */
	const char *options; /* "nfsvers=4.1,ro", in order and each once; "": none */
	bool is_read_only;
};

/* Of a pod's own volume (`nfs`, pv NULL) or of a PersistentVolume's spec.nfs, whose mountOptions, or the annotation
 * that was before them, count then; `is_read_only`: as the pod's volume or its use of the claim says. Texts in the
 * arena. */
void nfs_source_read(
        struct arena *a, const struct json *nfs, const struct json *pv, bool is_read_only, struct nfs_source *ret);

enum { NFS_ARGV_MAX = 8 };
/* The words of the program that mounts it, NULL at the end. */
void nfs_mount_argv(const struct nfs_source *s, const char *path, const char *argv[NFS_ARGV_MAX]);

/* Ways to unmount, each tried when the one before did not do it in its time: politely, then what waits for the server
 * is given up, then it goes from the tree whoever still holds it. NULL after the last. */
struct nfs_unmount_step {
	const char *option; /* of umount; NULL: none */
	unsigned limit_ms;
};
const struct nfs_unmount_step *nfs_unmount_step(unsigned step);

/* Where a pod's volume of this name (a claim's: that of its PersistentVolume) is mounted. */
const char *nfs_mount_path(const struct pod *p, struct arena *a, struct slice name);

/* Is this path where a pod's nfs volume is mounted, and nothing below it? */
bool nfs_is_path(struct slice path);

/* Of a table of mounts (mount_table.h): the mounts below `dir` that hold what its nfs volumes hold (their sub-paths do,
 * too), newest first, in the arena. Those of CSI drivers are never among them. */
size_t nfs_points_below(struct arena *a, struct slice table, const char *dir, const char *const **ret);

#endif
