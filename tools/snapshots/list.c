/* See list.h. */
#include "tools/snapshots/list.h"

#include "base/file/file_sync.h"
#include "store/snapshot/packed.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECONDS_DIGITS_MIN = 9, SECONDS_DIGITS_MAX = 12 };

/* ---- names ---- */

/* Where "-SECONDS" begins, with the suffix taken off; NULL: it is no snapshot's name. */
static const char *parse(const char *name, int64_t *ret_created_s)
{
	struct slice s = slice_of(name);
	if (slice_ends(s, PACKED_SUFFIX))
		s.len -= sizeof PACKED_SUFFIX - 1;
	const char *dash = s.len ? memrchr(s.ptr, '-', s.len) : NULL;
	struct slice digits = dash ? (struct slice){dash + 1, (size_t)(s.ptr + s.len - dash - 1)} : SLICE_NULL;
	uint64_t n;
	if (!snapshot_name_is_good(name) || digits.len < SECONDS_DIGITS_MIN || digits.len > SECONDS_DIGITS_MAX ||
	        !slice_to_u64(digits, &n) || dash == name)
		return NULL;
	*ret_created_s = (int64_t)n;
	return dash;
}

bool snapshot_name_parse(const char *name, int64_t *ret_created_s)
{
	return parse(name, ret_created_s) != NULL;
}

bool snapshot_name_is_of(const char *snapshot, const char *name, const char *node)
{
	int64_t unused;
	const char *end = parse(snapshot, &unused);
	size_t n = strlen(name), m = node ? strlen(node) : 0, len = end ? (size_t)(end - snapshot) : 0;
	if (len < n + 2 || memcmp(snapshot, name, n) != 0 || snapshot[n] != '-')
		return false;
	return !node || (len == n + 1 + m && memcmp(snapshot + n + 1, node, m) == 0);
}

/* Of the same NAME-NODE, in the same place? */
static bool are_alike(const struct snapshot_entry *a, const struct snapshot_entry *b)
{
	int64_t unused;
	const char *x = parse(a->name, &unused), *y = parse(b->name, &unused);
	return a->is_in_s3 == b->is_in_s3 && x && y &&
	       slice_eq((struct slice){a->name, (size_t)(x - a->name)}, (struct slice){b->name, (size_t)(y - b->name)});
}

/* ---- lists ---- */

static void add(struct snapshot_list *l, const struct snapshot_entry *e)
{
	if (l->n == l->cap)
		l->entries = xrealloc(l->entries, (l->cap = l->cap ? 2 * l->cap : 16) * sizeof *l->entries);
	l->entries[l->n++] = *e;
}

int snapshot_list_folder(struct snapshot_list *l, const char *dir, struct err *err)
{
	DIR *d = opendir(dir);
	if (!d)
		return errno == ENOENT ? 0 : err_errno(err, errno, "open folder %s", dir);
	for (struct dirent *e; (e = readdir(d));) {
		struct snapshot_entry x = {.name = arena_strdup(&l->arena, e->d_name)};
		const char *path = arena_printf(&l->arena, "%s/%s", dir, e->d_name);
		struct stat st;
		if (!snapshot_name_parse(x.name, &x.created_s) || stat(path, &st) != 0 || !S_ISREG(st.st_mode))
			continue;
		x.size = st.st_size;
		x.location = arena_printf(&l->arena, "file://%s", path);
		add(l, &x);
	}
	closedir(d);
	return 0;
}

struct adding {
	struct snapshot_list *list;
	const struct s3_settings *settings;
};

static void add_object(void *arg, const struct s3_object *o)
{
	const struct adding *a = arg;
	struct snapshot_entry x = {.name = arena_strdup(&a->list->arena, o->key), .size = o->size, .is_in_s3 = true};
	const char *folder = a->settings->folder ? a->settings->folder : "";
	if (!snapshot_name_parse(x.name, &x.created_s))
		return;
	x.location = arena_printf(
	        &a->list->arena, "s3://%s/%s%s%s", a->settings->bucket, folder, *folder ? "/" : "", x.name);
	add(a->list, &x);
}

int snapshot_list_s3(struct snapshot_list *l, const struct s3 *s, struct err *err)
{
	struct adding a = {l, s->settings};
	return s3_list(s, add_object, &a, err);
}

static int newer_first(const void *a, const void *b)
{
	const struct snapshot_entry *x = a, *y = b;
	if (x->created_s != y->created_s)
		return x->created_s < y->created_s ? 1 : -1;
	int by_name = strcmp(y->name, x->name);
	return by_name ? by_name : x->is_in_s3 - y->is_in_s3;
}

void snapshot_list_sort(struct snapshot_list *l)
{
	if (l->n)
		qsort(l->entries, l->n, sizeof *l->entries, newer_first);
}

void snapshot_list_release(struct snapshot_list *l)
{
	free(l->entries);
	arena_release(&l->arena);
}

/* ---- removing ---- */

int snapshot_remove(const struct snapshot_entry *e, const char *dir, const struct s3 *s, struct err *err)
{
	struct arena a = ARENA_INIT;
	const char *path = arena_printf(&a, "%s/%s", dir, e->name);
	if (e->is_in_s3)
		s3_delete(s, e->name, err);
	else if (unlink(path) != 0)
		err_errno(err, errno, "remove %s", path);
	else
		file_sync_folder(path, err);
	arena_release(&a);
	return err->code;
}

int snapshot_prune(struct snapshot_list *sorted, const struct snapshot_pruning *p, struct err *err)
{
	for (size_t i = 0; i < sorted->n; i++) {
		const struct snapshot_entry *e = &sorted->entries[i];
		int64_t newer = 0, keep = e->is_in_s3 ? p->keep_s3 : p->keep;
		for (size_t k = 0; k < i; k++)
			newer += are_alike(e, &sorted->entries[k]);
		if (!keep || newer < keep || !snapshot_name_is_of(e->name, p->name, p->node))
			continue;
		if (snapshot_remove(e, p->dir, p->s3, err) != 0)
			return err->code;
		p->removed(p->arg, e);
	}
	return 0;
}
