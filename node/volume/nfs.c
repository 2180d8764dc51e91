/* See nfs.h. Upstream: pkg/volume/nfs and pkg/volume/util (MountOptionFromSpec, JoinMountOptions). */
#include "node/volume/nfs.h"

#include "base/check.h"
#include "node/csi/csi.h"
#include "node/ground/mount_table.h"
#include "node/ground/pod_record.h"

#include <arpa/inet.h>
#include <stdlib.h>

#define FOLDER "/volumes/kubernetes.io~nfs/"

static bool is_ipv6(struct arena *a, struct slice server)
{
	struct in6_addr unused;
	return inet_pton(AF_INET6, arena_printf(a, "%.*s", SLICE_FMT(server)), &unused) == 1;
}

static int compare(const void *x, const void *y)
{
	return slice_cmp(*(const struct slice *)x, *(const struct slice *)y);
}

/* In order, each once. */
static const char *join(struct arena *a, struct slice *list, size_t n)
{
	const char *text = "";
	if (n > 1)
		qsort(list, n, sizeof *list, compare);
	for (size_t i = 0; i < n; i++)
		if (list[i].len && !(i && slice_eq(list[i], list[i - 1])))
			text = arena_printf(a, "%s%s%.*s", text, *text ? "," : "", SLICE_FMT(list[i]));
	return text;
}

static const char *options_of(struct arena *a, const struct json *pv, bool is_read_only)
{
	const struct json *list = json_path(pv, "spec", "mountOptions", NULL);
	struct slice old =
	        json_str(json_path(pv, "metadata", "annotations", "volume.beta.kubernetes.io/mount-options", NULL));
	struct slice *options = ARENA_ARRAY(a, struct slice, old.len + (list ? list->count : 0) + 2);
	size_t n = 0;
	if (old.len)
		while (old.len)
			options[n++] = slice_cut(&old, ',');
	else
		JSON_FOREACH (it, list)
			options[n++] = json_str(it);
	if (is_read_only)
		options[n++] = SLICE("ro");
	return join(a, options, n);
}

void nfs_source_read(
        struct arena *a, const struct json *nfs, const struct json *pv, bool is_read_only, struct nfs_source *ret)
{
	struct slice server = json_get_str(nfs, "server"), path = json_get_str(nfs, "path");
	bool in_brackets = is_ipv6(a, server);
	ret->what = arena_printf(
	        a, "%s%.*s%s:%.*s", in_brackets ? "[" : "", SLICE_FMT(server), in_brackets ? "]" : "", SLICE_FMT(path));
	ret->options = options_of(a, pv, is_read_only);
	ret->is_read_only = is_read_only;
}

void nfs_mount_argv(const struct nfs_source *s, const char *path, const char *argv[NFS_ARGV_MAX])
{
	size_t n = 0;
	argv[n++] = "mount";
	argv[n++] = "-t";
	argv[n++] = "nfs";
	if (*s->options) {
		argv[n++] = "-o";
		argv[n++] = s->options;
	}
	argv[n++] = s->what;
	argv[n++] = path;
	argv[n++] = NULL;
	CHECK(n <= NFS_ARGV_MAX);
}

const struct nfs_unmount_step *nfs_unmount_step(unsigned step)
{
	static const struct nfs_unmount_step steps[] = {{NULL, 60000}, {"-f", 10000}, {"-l", 10000}};
	return step < COUNT_OF(steps) ? &steps[step] : NULL;
}

/* ---- mounts ---- */

const char *nfs_mount_path(const struct pod *p, struct arena *a, struct slice name)
{
	return arena_printf(a, "%s" FOLDER "%.*s", pod_dir(p, a), SLICE_FMT(name));
}

bool nfs_is_path(struct slice path)
{
	const char *at = memmem(path.ptr, path.len, FOLDER, strlen(FOLDER));
	const char *name = at ? at + strlen(FOLDER) : NULL, *end = path.ptr + path.len;
	return name && name < end && !memchr(name, '/', (size_t)(end - name));
}

struct folder {
	struct slice table;
	const char *dir;
};

/* A mount of the file system of one of the folder's nfs volumes, but for those of CSI drivers. */
static bool is_of_nfs(void *arg, const struct mount_line *m)
{
	const struct folder *f = arg;
	if (csi_is_path(m->point))
		return false;
	for (struct slice rest = f->table; rest.len;) {
		struct mount_line other = mount_table_cut(&rest);
		if (slice_eq(other.device, m->device) && mount_is_below(other.point, f->dir) &&
		        nfs_is_path(other.point))
			return true;
	}
	return false;
}

size_t nfs_points_below(struct arena *a, struct slice table, const char *dir, const char *const **ret)
{
	struct folder f = {table, dir};
	return mounts_below(a, table, dir, is_of_nfs, &f, ret);
}
