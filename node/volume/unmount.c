/* See unmount.h. Mounts are found in /proc/self/mountinfo, so that a restart of ours forgets none. Those of nfs volumes
 * are undone first, beside us (nfs_mount.h): a thread that waited for a server could do nothing else. What a CSI driver
 * has mounted is its own to undo: nothing here touches it, and the folders of a pod that a driver still holds something
 * of stay until csi_callbacks.pod_is_clean. */
#include "node/volume/unmount.h"

#include "base/check.h"
#include "base/log.h"
#include "node/csi/csi.h"
#include "node/ground/errand.h"
#include "node/ground/files.h"
#include "node/ground/mount_pins.h"
#include "node/ground/mount_table.h"
#include "node/ground/node_record.h"
#include "node/ground/pod_map.h"
#include "node/volume/nfs_mount.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mount.h>

/* It goes from the tree at once, and for good when whoever holds it lets go: the log says who. */
static void detach(const char *point)
{
	struct strbuf pins = STRBUF_INIT;
	mount_pins(point, &pins);
	int rc = umount2(point, MNT_DETACH), e = errno;
	log_warn("node", "a mount was in use when it was undone", "path=%s pinned_by=\"%s\" detached=%s", point,
	        strbuf_cstr(&pins), rc == 0 ? "yes" : strerror(e));
	strbuf_release(&pins);
}

static bool is_ours(void *arg, const struct mount_line *m)
{
	return !csi_is_path(m->point);
}

/* Undoes every mount below dir, deepest (newest) first, but those of CSI drivers, which are theirs to undo. */
void volumes_unmount_below(const char *dir)
{
	struct arena a = ARENA_INIT;
	char *text;
	const char *const *points;
	CHECK(dir[0] == '/' && dir[1]);
	size_t count = mounts_below(&a, mount_table_read(0, &text), dir, is_ours, NULL, &points);
	for (size_t i = 0; i < count; i++)
		if (umount2(points[i], 0) != 0 && errno == EBUSY)
			detach(points[i]);
	arena_release(&a);
	free(text);
}

/* ---- orphans ---- */

struct orphans {
	struct node *n;
	struct errand errand;
	unsigned open; /* folders whose nfs volumes are being undone */
	bool is_canceled;
	struct arena arena;
	const char **dirs;
	size_t count;
};

static void orphans_on_pool(struct errand *e)
{
	struct orphans *o = CONTAINER_OF(e, struct orphans, errand);
	for (size_t i = 0; i < o->count; i++) {
		volumes_unmount_below(o->dirs[i]);
		file_remove_tree(o->dirs[i]);
	}
}

static void free_orphans(struct orphans *o)
{
	arena_release(&o->arena);
	free(o);
}

static void orphans_done(struct errand *e)
{
	struct orphans *o = CONTAINER_OF(e, struct orphans, errand);
	if (o->count)
		log_info("node", "removed folders of pods that are no more", "count=%zu", o->count);
	free_orphans(o);
}

static void servers_let_go(void *arg, const struct err *err)
{
	struct orphans *o = arg;
	o->is_canceled |= err != NULL;
	if (--o->open)
		return;
	if (o->is_canceled || !errand_start(o->n, &o->errand, orphans_on_pool, orphans_done))
		free_orphans(o);
}

static void collect(struct node *n, struct orphans *o, const char *parent)
{
	DIR *d = opendir(parent);
	for (struct dirent *e; d && (e = readdir(d));) {
		const char *uid = strrchr(e->d_name, '_'); /* log folders are NS_NAME_UID */
		uid = uid ? uid + 1 : e->d_name;
		if (e->d_name[0] == '.' || node_pod(n, slice_of(uid)) || csi_has_uses(n->csi, uid))
			continue;
		const char **dirs = ARENA_ARRAY(&o->arena, const char *, o->count + 1);
		if (o->count)
			memcpy(dirs, o->dirs, o->count * sizeof *dirs);
		o->dirs = dirs;
		o->dirs[o->count++] = arena_printf(&o->arena, "%s/%s", parent, e->d_name);
	}
	if (d)
		closedir(d);
}

void volumes_remove_orphans(struct node *n)
{
	LOOP_CHECK_OWNER(n->loop);
	CHECK(node_is_server_known(n));
	struct orphans *o = xcalloc(1, sizeof *o);
	o->n = n;
	o->open = 1;
	collect(n, o, n->pods_dir);
	collect(n, o, n->logs_dir);
	for (size_t i = 0; i < o->count; i++)
		if (nfs_has_any_below(o->dirs[i])) {
			o->open++;
			nfs_unmount_below(n->nfs, o->dirs[i], servers_let_go, o);
		}
	servers_let_go(o, NULL);
}
