/* See record_int.h. A file is written beside its place and renamed: it is whole or not there. Names of drivers and
 * volumes are names of folders here; who makes a record has checked them.
 *
 * Upstream: pkg/volume/csi (csi_attacher.go, csi_mounter.go, csi_block.go, csi_util.go). */
#include "node/csi/record_int.h"

#include "base/check.h"
#include "base/file/file_dirs.h"
#include "base/json/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/pki/pki.h"
#include "node/ground/files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEVICES "volumeDevices"
#define POD_PART "kubernetes.io~csi"
#define DATA_FILE "vol_data.json"

/* ---- where ---- */

static const char *plugin_dir(struct arena *a, const char *root)
{
	return arena_printf(a, "%s/plugins/" CSI_PLUGIN, root);
}

/* The folder of a staged volume, or of a use. */
static const char *own_dir(struct arena *a, const char *root, const struct csi_record *r)
{
	char hex[65];
	DCHECK(*root == '/' && r->name);
	if (r->uid)
		return arena_printf(a, "%s/pods/%s/volumes/" POD_PART "/%s", root, r->uid, r->name);
	pki_sha256_hex(r->handle, strlen(r->handle), hex);
	return arena_printf(a, "%s/%s/%s", plugin_dir(a, root), r->driver, hex);
}

static const char *device_link(struct arena *a, const char *root, const struct csi_record *r)
{
	CHECK(r->uid && r->is_block);
	return arena_printf(a, "%s/pods/%s/" DEVICES "/" POD_PART "/%s", root, r->uid, r->name);
}

const char *record_staging_path(struct arena *a, const char *root, const struct csi_record *r)
{
	struct csi_record staged = *r;
	staged.uid = NULL;
	if (r->is_block)
		return arena_printf(a, "%s/" DEVICES "/staging/%s", plugin_dir(a, root), r->name);
	return arena_printf(a, "%s/globalmount", own_dir(a, root, &staged));
}

const char *record_publish_path(struct arena *a, const char *root, const struct csi_record *r)
{
	CHECK(r->uid);
	if (r->is_block)
		return arena_printf(a, "%s/" DEVICES "/publish/%s/%s", plugin_dir(a, root), r->name, r->uid);
	return arena_printf(a, "%s/mount", own_dir(a, root, r));
}

static const char *data_dir(struct arena *a, const char *root, const struct csi_record *r)
{
	return r->is_block ? arena_printf(a, "%s/" DEVICES "/%s/data", plugin_dir(a, root), r->name)
	                   : own_dir(a, root, r);
}

static const char *parent(struct arena *a, const char *path)
{
	DCHECK(strrchr(path, '/'));
	return arena_memdup(a, path, (size_t)(strrchr(path, '/') - path));
}

/* ---- writing ---- */

static struct slice text_of(struct arena *a, const struct csi_record *r, struct strbuf *b)
{
	struct json *o = json_new(a, JSON_OBJECT);
	json_set_cstr(a, o, "driverName", r->driver);
	json_set_cstr(a, o, "volumeHandle", r->handle);
	json_set_cstr(a, o, "specVolID", r->name);
	json_set_cstr(a, o, "nodeName", r->node ? r->node : "");
	json_set_cstr(a, o, "attachmentID", r->attachment ? r->attachment : "");
	json_set_cstr(a, o, "volumeLifecycleMode", r->is_inline ? "Ephemeral" : "Persistent");
	json_write(b, o);
	return strbuf_slice(b);
}

static int write_data(struct arena *a, const char *dir, const struct csi_record *r, struct err *err)
{
	struct strbuf b = STRBUF_INIT;
	int rc = file_make_dirs(dir, 0750, err);
	if (rc == 0)
		rc = file_replace(arena_printf(a, "%s/" DATA_FILE, dir), text_of(a, r, &b), 0600, false, err);
	strbuf_release(&b);
	return rc;
}

static int write_device_use(struct arena *a, const char *root, const struct csi_record *r, struct err *err)
{
	const char *at = device_link(a, root, r), *to = record_publish_path(a, root, r);
	if (file_make_dirs(parent(a, at), 0750, err) != 0 || file_make_dirs(parent(a, to), 0750, err) != 0)
		return err->code;
	if (symlink(to, at) != 0 && errno != EEXIST)
		return err_errno(err, errno, "make %s", at);
	return 0;
}

int record_write(const char *root, const struct csi_record *r, struct err *err)
{
	CHECK(r->driver && r->handle && !strchr(r->name, '/'));
	struct arena a = ARENA_INIT;
	int rc = write_data(&a, data_dir(&a, root, r), r, err);
	if (rc == 0 && r->uid && r->is_block)
		rc = write_device_use(&a, root, r, err);
	if (rc == 0 && !r->uid)
		rc = file_make_dirs(record_staging_path(&a, root, r), 0750, err);
	arena_release(&a);
	return rc;
}

/* ---- removing ---- */

/* A file or an empty folder; what is not there is gone already. */
static int remove_one(const char *path, struct err *err)
{
	if (unlink(path) == 0 || errno == ENOENT)
		return 0;
	if ((errno == EISDIR || errno == EPERM) && (rmdir(path) == 0 || errno == ENOENT))
		return 0;
	return errno == EBUSY ? err_set(err, ERR_BUSY, "%s is still mounted", path)
	                      : err_errno(err, errno, "remove %s", path);
}

/* Folders that may hold what is others'. */
static void remove_if_empty(struct arena *a, const char *path, int levels)
{
	for (; levels && rmdir(path) == 0; levels--)
		path = parent(a, path);
}

int record_remove(const char *root, const struct csi_record *r, struct err *err)
{
	CHECK(r->driver && r->handle && !strchr(r->name, '/'));
	struct arena a = ARENA_INIT;
	const char *path = r->uid ? record_publish_path(&a, root, r) : record_staging_path(&a, root, r);
	const char *dir = data_dir(&a, root, r), *link = r->uid && r->is_block ? device_link(&a, root, r) : NULL;
	int rc = remove_one(path, err);
	if (rc == 0 && link) {
		rc = remove_one(link, err);
		remove_if_empty(&a, parent(&a, link), 3);
		remove_if_empty(&a, parent(&a, path), 1);
	} else if (rc == 0) {
		rc = remove_one(arena_printf(&a, "%s/" DATA_FILE, dir), err);
		remove_if_empty(&a, dir, r->uid ? 4 : r->is_block ? 2 : 1);
	}
	arena_release(&a);
	return rc;
}

/* ---- reading ---- */

static bool is_name(struct slice s)
{
	return s.len && s.len < 254 && s.ptr[0] != '.' && !memchr(s.ptr, '/', s.len) && !memchr(s.ptr, 0, s.len);
}

int record_read(struct slice text, struct arena *a, struct csi_record *ret, struct err *err)
{
	struct json *o = json_parse(a, text, NULL, err);
	struct slice driver = json_get_str(o, "driverName"), handle = json_get_str(o, "volumeHandle");
	if (!is_name(driver) || !handle.len || memchr(handle.ptr, 0, handle.len))
		return err->code ? err->code : err_set(err, ERR_CORRUPT, "it names no driver, or no volume");
	*ret = (struct csi_record){.driver = json_cstr(a, json_get(o, "driverName")),
	        .handle = json_cstr(a, json_get(o, "volumeHandle")),
	        .name = json_cstr(a, json_get(o, "specVolID")),
	        .node = json_cstr(a, json_get(o, "nodeName")),
	        .attachment = json_cstr(a, json_get(o, "attachmentID")),
	        .is_inline = slice_is(json_get_str(o, "volumeLifecycleMode"), "Ephemeral")};
	return 0;
}

/* ---- finding ---- */

struct walk {
	const char *root;
	char *mounts; /* /proc/self/mountinfo, NULL: unreadable */
	void (*fn)(void *arg, const struct csi_record *r);
	void *arg;
};

static void each_entry(const char *dir, void (*fn)(struct walk *w, const char *dir, const char *name), struct walk *w)
{
	DIR *d = opendir(dir);
	for (struct dirent *e; d && (e = readdir(d));)
		if (e->d_name[0] != '.')
			fn(w, dir, e->d_name);
	if (d)
		closedir(d);
}

static bool load(struct arena *a, const char *dir, struct csi_record *r)
{
	struct err err = ERR_INIT;
	size_t len = 0;
	const char *file = arena_printf(a, "%s/" DATA_FILE, dir);
	CLEANUP(cleanup_free) char *text = file_read(file, NODE_CSI_RECORD_BYTES_MAX, false, &len);
	if (!text && errno == ENOENT)
		return false;
	if (text && record_read((struct slice){text, len}, a, r, &err) == 0)
		return true;
	log_warn("node", "a record of a CSI volume cannot be read: what it was of is left as it is",
	        "file=%s error=\"%s\"", file, text ? err.msg : strerror(errno));
	return false;
}

static bool is_mount_point(const struct walk *w, struct arena *a, const char *path)
{
	return w->mounts && strstr(w->mounts, arena_printf(a, " %s ", path)) != NULL;
}

static void found_staged(struct walk *w, const char *dir, const char *name)
{
	struct arena a = ARENA_INIT;
	struct csi_record r;
	if (load(&a, arena_printf(&a, "%s/%s", dir, name), &r))
		w->fn(w->arg, &r);
	arena_release(&a);
}

static void found_driver(struct walk *w, const char *dir, const char *name)
{
	struct arena a = ARENA_INIT;
	if (strcmp(name, DEVICES) != 0)
		each_entry(arena_printf(&a, "%s/%s", dir, name), found_staged, w);
	arena_release(&a);
}

static void found_device(struct walk *w, const char *dir, const char *name)
{
	struct arena a = ARENA_INIT;
	struct csi_record r;
	if (load(&a, arena_printf(&a, "%s/%s/data", dir, name), &r)) {
		r.is_block = true;
		r.name = name;
		w->fn(w->arg, &r);
	}
	arena_release(&a);
}

/* dir: ROOT/pods/UID/volumes/kubernetes.io~csi. */
static void found_use(struct walk *w, const char *dir, const char *name)
{
	struct arena a = ARENA_INIT;
	struct csi_record r;
	if (load(&a, arena_printf(&a, "%s/%s", dir, name), &r)) {
		r.name = name;
		r.uid = strrchr(parent(&a, parent(&a, dir)), '/') + 1;
		r.is_mounted = is_mount_point(w, &a, record_publish_path(&a, w->root, &r));
		w->fn(w->arg, &r);
	}
	arena_release(&a);
}

/* A link is left, and which device it is of stands with the volume. */
static void found_device_use(struct walk *w, const char *dir, const char *name)
{
	struct arena a = ARENA_INIT;
	struct csi_record r;
	if (load(&a, arena_printf(&a, "%s/" DEVICES "/%s/data", plugin_dir(&a, w->root), name), &r)) {
		r.is_block = true;
		r.name = name;
		r.uid = strrchr(parent(&a, parent(&a, dir)), '/') + 1;
		r.is_mounted = is_mount_point(w, &a, record_publish_path(&a, w->root, &r));
		w->fn(w->arg, &r);
	}
	arena_release(&a);
}

static void found_pod(struct walk *w, const char *dir, const char *uid)
{
	struct arena a = ARENA_INIT;
	each_entry(arena_printf(&a, "%s/%s/volumes/" POD_PART, dir, uid), found_use, w);
	each_entry(arena_printf(&a, "%s/%s/" DEVICES "/" POD_PART, dir, uid), found_device_use, w);
	arena_release(&a);
}

void record_walk(const char *root, void (*fn)(void *arg, const struct csi_record *r), void *arg)
{
	struct arena a = ARENA_INIT;
	DCHECK(fn);
	struct walk w = {.root = root, .fn = fn, .arg = arg};
	w.mounts = file_read("/proc/self/mountinfo", 8 * 1024 * 1024, false, NULL);
	each_entry(plugin_dir(&a, root), found_driver, &w);
	each_entry(arena_printf(&a, "%s/" DEVICES, plugin_dir(&a, root)), found_device, &w);
	each_entry(arena_printf(&a, "%s/pods", root), found_pod, &w);
	free(w.mounts);
	arena_release(&a);
}
