/* See manifest_files.h. Links are followed, as k3s does, so that a file may lie elsewhere; how deep folders lie is
 * bounded, and so is a circle of them. */
#include "api/controllers/manifest_files.h"

#include "api/controllers/manifest.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/mem/map.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

struct scan {
	struct arena *a;
	const char *root;
	struct manifest_files *ret;
	struct map skipped; /* paths that have a .skip beside them */
};

static uint64_t stamp_of(const struct stat *st)
{
	int64_t parts[] = {(int64_t)st->st_size, (int64_t)st->st_ino, st->st_mtim.tv_sec, st->st_mtim.tv_nsec,
	        st->st_ctim.tv_sec, st->st_ctim.tv_nsec};
	return fnv1a64(parts, sizeof parts);
}

static void add_file(struct scan *s, const char *path, const struct stat *st)
{
	if (s->ret->count == MANIFESTS_MAX)
		s->ret->is_cut = true;
	else
		s->ret->files[s->ret->count++] = (struct manifest_file){slice_of(path), stamp_of(st), SLICE_NULL};
}

static int scan_folder(struct scan *s, const char *below, int depth, struct err *err);

static void see(struct scan *s, const char *below, const char *name, int depth)
{
	struct stat st;
	struct err unused = ERR_INIT;
	const char *path = *below ? arena_printf(s->a, "%s/%s", below, name) : arena_strdup(s->a, name);
	struct slice skip = slice_of(path);
	if (name[0] == '.')
		return;
	if (slice_ends(skip, ".skip")) {
		skip.len -= strlen(".skip");
		map_put(&s->skipped, skip, (void *)path);
	}
	if (stat(arena_printf(s->a, "%s/%s", s->root, path), &st) != 0)
		return;
	if (S_ISDIR(st.st_mode))
		scan_folder(s, path, depth + 1, &unused);
	else if (manifest_is_one(slice_of(path)))
		add_file(s, path, &st);
}

static int scan_folder(struct scan *s, const char *below, int depth, struct err *err)
{
	const char *path = *below ? arena_printf(s->a, "%s/%s", s->root, below) : s->root;
	if (depth > MANIFEST_FOLDER_DEPTH_MAX || s->ret->n_folders == MANIFEST_FOLDERS_MAX) {
		s->ret->is_cut = true;
		return 0;
	}
	DIR *d = opendir(path);
	if (!d)
		return err_errno(err, errno, "read the folder %s", path);
	s->ret->folders[s->ret->n_folders++] = path;
	for (struct dirent *f; (f = readdir(d));)
		see(s, below, f->d_name, depth);
	closedir(d);
	return 0;
}

static int by_path(const void *x, const void *y)
{
	return slice_cmp(((const struct manifest_file *)x)->path, ((const struct manifest_file *)y)->path);
}

/* Only when all are known it is known which are skipped. */
static void drop_skipped(struct scan *s)
{
	size_t kept = 0;
	for (size_t i = 0; i < s->ret->count; i++)
		if (!map_get(&s->skipped, s->ret->files[i].path))
			s->ret->files[kept++] = s->ret->files[i];
	s->ret->count = kept;
}

/* Two files would undo each other's work for ever: the first one has the name. */
static void find_shadowed(struct manifest_files *m)
{
	struct map names = MAP_INIT;
	for (size_t i = 0; i < m->count; i++) {
		struct manifest_file *f = &m->files[i], *first = map_get(&names, manifest_name(f->path));
		if (first)
			f->shadowed_by = first->path;
		else
			map_put(&names, manifest_name(f->path), f);
	}
	map_release(&names);
}

int manifest_files_scan(struct arena *a, const char *folder, struct manifest_files *ret, struct err *err)
{
	struct scan s = {.a = a, .root = folder, .ret = ret, .skipped = MAP_INIT};
	*ret = (struct manifest_files){0};
	ret->files = ARENA_ARRAY(a, struct manifest_file, MANIFESTS_MAX);
	ret->folders = ARENA_ARRAY(a, const char *, MANIFEST_FOLDERS_MAX);
	scan_folder(&s, "", 0, err);
	drop_skipped(&s);
	if (ret->count)
		qsort(ret->files, ret->count, sizeof *ret->files, by_path);
	find_shadowed(ret);
	map_release(&s.skipped);
	return err->code;
}
