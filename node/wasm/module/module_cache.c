/* See module_cache.h. */
#include "node/wasm/module/module_cache.h"

#include "base/mem/map.h"
#include "base/pki/pki.h"
#include "node/ground/files.h"
#include "node/wasm/protocol/traces.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_BYTES = 65536, HEX_BYTES = 64, IMAGE_BYTES_MAX = 512 };
/* A left-over may be a compiler's that still runs. */
enum { FRESH_S = 600, LEFT_OVER_S = 3600 };

static const char *const suffixes[] = {".wasm", ".so", ".sum", ".plain", ".image"};
enum { SUFFIXES = sizeof suffixes / sizeof *suffixes };

/* ---- sums ---- */

static bool file_sum(const char *path, char hex[HEX_BYTES + 1])
{
	unsigned char sum[32];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *buffer = fd < 0 ? NULL : xmalloc(READ_BYTES);
	ssize_t n = -1;
	if (!buffer)
		return false;
	struct pki_digest *d = pki_digest_new();
	while ((n = read(fd, buffer, READ_BYTES)) > 0)
		pki_digest_add(d, buffer, (size_t)n);
	pki_digest_get(d, sum);
	pki_digest_free(d);
	close(fd);
	free(buffer);
	hex_write(sum, sizeof sum, hex);
	return n == 0;
}

static bool library_is_whole(const char *library, const char *sum_file)
{
	char hex[HEX_BYTES + 1];
	char *text = file_read(sum_file, HEX_BYTES, false, NULL);
	bool is_whole = text && file_sum(library, hex) && strcmp(text, hex) == 0;
	free(text);
	return is_whole;
}

/* ---- one module ---- */

static bool file_is(const char *path, struct slice bytes)
{
	struct stat st;
	if (stat(path, &st) != 0 || (uint64_t)st.st_size != bytes.len)
		return false;
	size_t len = 0;
	char *text = file_read(path, bytes.len, false, &len);
	bool same = text && len == bytes.len && memcmp(text, bytes.ptr, len) == 0;
	free(text);
	return same;
}

int module_cache_keep(const char *base, struct slice module, const char *image, bool *needs_compiler, struct err *err)
{
	struct arena a = ARENA_INIT;
	const char *file = arena_printf(&a, "%s.wasm", base), *library = arena_printf(&a, "%s.so", base),
	           *sum = arena_printf(&a, "%s.sum", base);
	if (!file_is(file, module) && file_replace(file, module, 0600, false, err) == 0 && chmod(file, 0644) != 0)
		err_errno(err, errno, "keep %s", file);
	if (!err->code)
		file_replace(arena_printf(&a, "%s.image", base), slice_of(image), 0600, false, err);
	bool is_whole = library_is_whole(library, sum);
	if (!is_whole) {
		unlink(library);
		unlink(sum);
	}
	*needs_compiler = !is_whole && access(arena_printf(&a, "%s.plain", base), R_OK) != 0;
	arena_release(&a);
	return err->code;
}

int module_cache_take(const char *base, const char *library, struct err *err)
{
	struct arena a = ARENA_INIT;
	const char *to = arena_printf(&a, "%s.so", base);
	char hex[HEX_BYTES + 1];
	if (!file_sum(library, hex))
		err_errno(err, errno, "read %s", library);
	else if (file_replace(arena_printf(&a, "%s.sum", base), slice_of(hex), 0600, false, err) == 0 &&
	         (chmod(library, 0755) != 0 || rename(library, to) != 0))
		err_errno(err, errno, "rename %s", library);
	arena_release(&a);
	return err->code;
}

/* ---- all of them ---- */

static int by_use(const void *a, const void *b)
{
	const struct cached_module *x = a, *y = b;
	return x->used_s > y->used_s ? -1 : x->used_s < y->used_s;
}

void module_cache_choose(struct cached_module *list, size_t count, bool (*has_image)(void *arg, const char *image),
        void *arg, uint64_t bytes_max, int64_t now_s)
{
	uint64_t kept = 0;
	qsort(list, count, sizeof *list, by_use);
	for (size_t i = 0; i < count; i++) {
		struct cached_module *m = &list[i];
		int64_t age_s = now_s - m->used_s;
		bool is_fresh = age_s < (m->is_module ? FRESH_S : LEFT_OVER_S);
		bool is_orphan = m->is_module && has_image && !has_image(arg, m->image);
		bool is_too_much = kept + m->bytes > bytes_max;
		m->goes = !m->is_in_use && !is_fresh && (!m->is_module || is_orphan || is_too_much);
		kept += m->goes ? 0 : m->bytes;
	}
}

static struct slice base_of(const char *file, bool *is_module)
{
	struct slice name = slice_of(file);
	for (size_t i = 0; i < SUFFIXES; i++) {
		size_t len = strlen(suffixes[i]);
		/* "BASE.new.so" is a compiler's, "BASE.wasm.new" is ours: both are left over. */
		if (slice_ends(name, suffixes[i]) && !memchr(name.ptr, '.', name.len - len)) {
			*is_module = true;
			return (struct slice){name.ptr, name.len - len};
		}
	}
	*is_module = false;
	return name;
}

static void add_file(struct cached_module *m, struct arena *a, const char *path, const struct stat *st)
{
	m->bytes += (uint64_t)st->st_size;
	if (slice_ends(slice_of(path), ".image")) {
		char *text = file_read(path, IMAGE_BYTES_MAX, false, NULL);
		m->image = arena_strdup(a, text ? text : "");
		free(text);
	}
	if (st->st_mtime > m->used_s)
		m->used_s = st->st_mtime;
}

struct cached_module *module_cache_list(struct arena *a, const char *folder, size_t *count)
{
	struct map found = MAP_INIT; /* name -> index + 1 */
	size_t capacity = 64;
	struct cached_module *list = ARENA_ARRAY(a, struct cached_module, capacity);
	DIR *d = opendir(folder);
	*count = 0;
	for (struct dirent *e; d && (e = readdir(d));) {
		struct stat st;
		bool is_module;
		const char *path = arena_printf(a, "%s/%s", folder, e->d_name);
		if (e->d_name[0] == '.' || stat(path, &st) != 0 || !S_ISREG(st.st_mode))
			continue;
		struct slice base = base_of(e->d_name, &is_module);
		uintptr_t at = (uintptr_t)map_get(&found, base);
		if (!at && *count == capacity) {
			struct cached_module *more = ARENA_ARRAY(a, struct cached_module, capacity * 2);
			memcpy(more, list, capacity * sizeof *list);
			list = more;
			capacity *= 2;
		}
		if (!at) {
			at = ++*count;
			list[at - 1] = (struct cached_module){
			        .name = arena_memdup(a, base.ptr, base.len), .image = "", .is_module = is_module};
			map_put(&found, slice_of(list[at - 1].name), (void *)at);
		}
		add_file(&list[at - 1], a, path, &st);
	}
	if (d)
		closedir(d);
	map_release(&found);
	return list;
}

void module_cache_remove(const char *folder, const struct cached_module *m)
{
	struct arena a = ARENA_INIT;
	if (!m->is_module)
		unlink(arena_printf(&a, "%s/%s", folder, m->name));
	for (size_t i = 0; m->is_module && i < SUFFIXES; i++)
		unlink(arena_printf(&a, "%s/%s%s", folder, m->name, suffixes[i]));
	arena_release(&a);
}
