/* See system_image.h. What the program needs is what its loader has given it: the libraries that are named by
 * DT_NEEDED, of the program and of those libraries, at the places where they were found, and the loader itself, which
 * PT_INTERP names. Those lie at the same places in the image, so the same loader finds them there. Libraries that were
 * opened since (dlopen) are not among them.
 *
 * A blob of a layout is called by its digest, so the layer is read twice: once to know its digest, once to write it.
 * The program may be replaced on disk at any time: /proc/self/exe is what runs, whatever its name leads to by now, and
 * each file is opened once. A library that is changed between the two readings is noticed by the digest. */
#include "node/runtime/system_image.h"

#include "base/arch.h"
#include "base/file/file_out.h"
#include "base/check.h"
#include "base/hash.h"
#include "base/json_lib.h"
#include "base/pki/pki.h"
#include "node/runtime/tar.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BINARY "bin/k3x"
#define MANIFEST_TYPE "application/vnd.oci.image.manifest.v1+json"

enum { FILES_MAX = 64, PIECE = 64 * 1024, HEX = 65 };

struct file {
	const char *source; /* on this machine */
	const char *name;   /* in the image, without the first '/' */
	int fd;
	struct stat st;
};

struct image {
	const char *name;
	struct arena arena;
	struct file files[FILES_MAX];
	size_t count;
};

/* ---- what is in it ---- */

struct object {
	struct dl_phdr_info info;
	bool is_needed;
};

struct objects {
	struct object rows[FILES_MAX];
	size_t count;
	const char *loader;
};

static int see_object(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct objects *o = arg;
	if (o->count == FILES_MAX)
		return 1;
	o->rows[o->count++] = (struct object){.info = *info};
	for (size_t i = 0; i < info->dlpi_phnum && o->count == 1; i++)
		if (info->dlpi_phdr[i].p_type == PT_INTERP)
			o->loader = (const char *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
	return 0;
}

static const ElfW(Dyn) * dynamic_of(const struct object *o)
{
	for (size_t i = 0; i < o->info.dlpi_phnum; i++)
		if (o->info.dlpi_phdr[i].p_type == PT_DYNAMIC)
			return (const ElfW(Dyn) *)(o->info.dlpi_addr + o->info.dlpi_phdr[i].p_vaddr);
	return NULL;
}

/* The loader has made an address of it on most machines, and left it an offset on some. */
static const char *names_of(const struct object *o)
{
	for (const ElfW(Dyn) *d = dynamic_of(o); d && d->d_tag != DT_NULL; d++)
		if (d->d_tag == DT_STRTAB)
			return (const char *)(d->d_un.d_ptr < o->info.dlpi_addr ? d->d_un.d_ptr + o->info.dlpi_addr
			                                                        : d->d_un.d_ptr);
	return NULL;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

static void need(struct objects *all, struct object *o);

static void need_named(struct objects *all, const char *name)
{
	for (size_t i = 1; i < all->count; i++)
		if (!all->rows[i].is_needed && strcmp(base_name(all->rows[i].info.dlpi_name), name) == 0)
			need(all, &all->rows[i]);
}

/* As deep as libraries need each other: FILES_MAX at the most. */
static void need(struct objects *all, struct object *o)
{
	const char *names = names_of(o);
	o->is_needed = true;
	for (const ElfW(Dyn) *d = dynamic_of(o); names && d && d->d_tag != DT_NULL; d++)
		if (d->d_tag == DT_NEEDED)
			need_named(all, names + d->d_un.d_val);
}

static int add_file(struct image *im, const char *source, const char *name, struct err *err)
{
	while (*name == '/')
		name++;
	for (size_t i = 0; i < im->count; i++)
		if (strcmp(im->files[i].name, name) == 0)
			return 0;
	if (im->count == FILES_MAX || strlen(name) > TAR_NAME_MAX)
		return err_set(err, ERR_TOO_BIG, "the image of this program has no room for %s", source);
	struct file f = {.source = source, .name = arena_strdup(&im->arena, name)};
	f.fd = open(source, O_RDONLY | O_CLOEXEC);
	if (f.fd < 0)
		return err_errno(err, errno, "open %s", source);
	if (fstat(f.fd, &f.st) != 0) {
		err_errno(err, errno, "look at %s", source);
		close(f.fd);
		return err->code;
	}
	CHECK(im->count < FILES_MAX);
	im->files[im->count++] = f;
	return 0;
}

static int by_name(const void *x, const void *y)
{
	return strcmp(((const struct file *)x)->name, ((const struct file *)y)->name);
}

static int image_open(struct image *im, struct err *err)
{
	struct objects *all = ARENA_NEW(&im->arena, struct objects);
	dl_iterate_phdr(see_object, all);
	if (add_file(im, "/proc/self/exe", BINARY, err) != 0)
		return err->code;
	if (all->count)
		need(all, &all->rows[0]);
	if (all->loader && add_file(im, all->loader, all->loader, err) != 0)
		return err->code;
	for (size_t i = 1; i < all->count; i++) {
		const char *name = arena_strdup(&im->arena, all->rows[i].info.dlpi_name);
		if (all->rows[i].is_needed && add_file(im, name, name, err) != 0)
			return err->code;
	}
	qsort(im->files, im->count, sizeof *im->files, by_name);
	return 0;
}

static void image_close(struct image *im)
{
	for (size_t i = 0; i < im->count; i++)
		close(im->files[i].fd);
	arena_release(&im->arena);
	free(im);
}

const char *system_image_stamp(struct arena *a, const char *image_name)
{
	struct image *im = xcalloc(1, sizeof *im);
	struct err err = ERR_INIT;
	uint64_t hash = FNV1A64_INIT;
	bool is_open = image_open(im, &err) == 0;
	for (size_t i = 0; i < im->count; i++) {
		const struct file *f = &im->files[i];
		int64_t facts[] = {(int64_t)f->st.st_size, f->st.st_mtim.tv_sec, f->st.st_mtim.tv_nsec};
		hash = fnv1a64_add(fnv1a64_add(hash, f->name, strlen(f->name)), facts, sizeof facts);
	}
	image_close(im);
	return is_open ? arena_printf(a, "%s %016" PRIx64 "\n", image_name, hash) : "";
}

/* ---- writing ---- */

/* Where bytes go: into a digest, a file, or both. */
struct sink {
	struct pki_digest *digest;
	struct file_out *out;
	uint64_t bytes;
};

static int put(struct sink *s, const void *data, size_t len, struct err *err)
{
	DCHECK(s->digest || s->out);
	s->bytes += len;
	if (s->digest)
		pki_digest_add(s->digest, data, len);
	return s->out ? file_out_write(s->out, data, len, err) : 0;
}

static int put_header(struct sink *s, const char *name, unsigned mode, uint64_t size, struct err *err)
{
	char header[TAR_BLOCK];
	tar_header(header, name, mode, size);
	return put(s, header, sizeof header, err);
}

static int put_zeros(struct sink *s, size_t n, struct err *err)
{
	static const char zeros[TAR_END];
	CHECK(n <= sizeof zeros);
	return put(s, zeros, n, err);
}

static int put_content(struct sink *s, const struct file *f, char *piece, struct err *err)
{
	off_t at = 0;
	while (at < f->st.st_size) {
		size_t want = f->st.st_size - at < PIECE ? (size_t)(f->st.st_size - at) : PIECE;
		ssize_t n = pread(f->fd, piece, want, at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, errno, "read %s", f->source);
		if (n == 0)
			return err_set(err, ERR_IO, "%s became shorter while it was read", f->source);
		if (put(s, piece, (size_t)n, err) != 0)
			return err->code;
		at += n;
	}
	uint64_t size = (uint64_t)f->st.st_size;
	return put_zeros(s, tar_padded(size) - size, err);
}

/* The folders above a file that the one before it did not have. */
static int put_folders(struct sink *s, const char *name, const char *before, struct err *err)
{
	CHECK(strlen(name) <= TAR_NAME_MAX && strcmp(before, name) < 0);
	char folder[TAR_NAME_MAX + 1];
	for (const char *slash = name; (slash = strchr(slash, '/')); slash++) {
		size_t n = (size_t)(slash - name) + 1;
		if (strncmp(before, name, n) == 0)
			continue;
		memcpy(folder, name, n);
		folder[n] = 0;
		if (put_header(s, folder, 0755, 0, err) != 0)
			return err->code;
	}
	return 0;
}

static int put_layer(struct sink *s, const struct image *im, struct err *err)
{
	char *piece = xmalloc(PIECE);
	int rc = 0;
	for (size_t i = 0; i < im->count && rc == 0; i++) {
		const struct file *f = &im->files[i];
		rc = put_folders(s, f->name, i ? im->files[i - 1].name : "", err);
		if (rc == 0)
			rc = put_header(s, f->name, 0755, (uint64_t)f->st.st_size, err);
		if (rc == 0)
			rc = put_content(s, f, piece, err);
	}
	free(piece);
	return rc == 0 ? put_zeros(s, TAR_END, err) : rc;
}

static void digest_hex(const struct pki_digest *d, char ret[HEX])
{
	unsigned char raw[32];
	_Static_assert(HEX == 2 * sizeof raw + 1, "two digits a byte");
	pki_digest_get(d, raw);
	hex_write(raw, sizeof raw, ret);
}

/* ---- the layout ---- */

/* What blobs are called follows from their bytes: members keep their order. */
static void write_json(struct strbuf *out, json_t *v)
{
	json_lib_write(out, v);
	json_decref(v);
}

static void make_config(struct strbuf *out, const char *layer)
{
	write_json(out, json_pack("{s:s, s:s, s:{s:[s], s:[s], s:s}, s:{s:s, s:[o]}, s:[{s:s}]}", "architecture",
	                        ARCH_NAME, "os", "linux", "config", "Entrypoint", "/" BINARY, "Env", "PATH=/bin",
	                        "WorkingDir", "/", "rootfs", "type", "layers", "diff_ids",
	                        json_sprintf("sha256:%s", layer), "history", "created_by", "k3x " K3X_VERSION));
}

static json_t *descriptor(const char *type, const char *hex, uint64_t size)
{
	return json_pack("{s:s, s:o, s:I}", "mediaType", type, "digest", json_sprintf("sha256:%s", hex), "size",
	        (json_int_t)size);
}

static void make_manifest(
        struct strbuf *out, const char *config, uint64_t config_size, const char *layer, uint64_t size)
{
	write_json(out, json_pack("{s:i, s:s, s:o, s:[o]}", "schemaVersion", 2, "mediaType", MANIFEST_TYPE, "config",
	                        descriptor("application/vnd.oci.image.config.v1+json", config, config_size), "layers",
	                        descriptor("application/vnd.oci.image.layer.v1.tar", layer, size)));
}

static void make_index(struct strbuf *out, const char *image_name, const char *manifest, uint64_t size)
{
	json_t *d = descriptor(MANIFEST_TYPE, manifest, size);
	json_object_set_new(d, "annotations",
	        json_pack("{s:s, s:s}", "io.containerd.image.name", image_name, "org.opencontainers.image.ref.name",
	                K3X_VERSION));
	write_json(out, json_pack("{s:i, s:s, s:[o]}", "schemaVersion", 2, "mediaType",
	                        "application/vnd.oci.image.index.v1+json", "manifests", d));
}

static int put_text(struct sink *s, const char *name, struct slice text, struct err *err)
{
	if (put_header(s, name, 0644, text.len, err) != 0 || put(s, text.ptr, text.len, err) != 0)
		return err->code;
	return put_zeros(s, tar_padded(text.len) - text.len, err);
}

static int put_blob(struct sink *s, const struct strbuf *text, char ret_hex[HEX], struct err *err)
{
	char name[TAR_NAME_MAX + 1];
	pki_sha256_hex(text->data, text->len, ret_hex);
	snprintf(name, sizeof name, "blobs/sha256/%s", ret_hex);
	return put_text(s, name, strbuf_slice(text), err);
}

static int put_layer_blob(struct sink *s, const struct image *im, const char *hex, uint64_t size, struct err *err)
{
	char name[TAR_NAME_MAX + 1], again[HEX] = "";
	snprintf(name, sizeof name, "blobs/sha256/%s", hex);
	if (put_header(s, name, 0644, size, err) != 0)
		return err->code;
	s->digest = pki_digest_new();
	int rc = put_layer(s, im, err);
	digest_hex(s->digest, again);
	pki_digest_free(s->digest);
	s->digest = NULL;
	if (rc == 0 && strcmp(again, hex) != 0)
		rc = err_set(err, ERR_IO, "a library was replaced while the image was made");
	return rc == 0 ? put_zeros(s, tar_padded(size) - size, err) : rc;
}

static int put_layout(struct sink *s, const struct image *im, const char *layer, uint64_t layer_size, struct err *err)
{
	struct strbuf config = STRBUF_INIT, manifest = STRBUF_INIT, index = STRBUF_INIT;
	char config_hex[HEX], manifest_hex[HEX];
	make_config(&config, layer);
	int rc = put_text(s, "oci-layout", SLICE("{\"imageLayoutVersion\":\"1.0.0\"}"), err);
	if (rc == 0)
		rc = put_blob(s, &config, config_hex, err);
	if (rc == 0) {
		make_manifest(&manifest, config_hex, config.len, layer, layer_size);
		rc = put_blob(s, &manifest, manifest_hex, err);
	}
	if (rc == 0) {
		make_index(&index, im->name, manifest_hex, manifest.len);
		rc = put_text(s, "index.json", strbuf_slice(&index), err);
	}
	if (rc == 0)
		rc = put_layer_blob(s, im, layer, layer_size, err);
	strbuf_release(&config);
	strbuf_release(&manifest);
	strbuf_release(&index);
	return rc == 0 ? put_zeros(s, TAR_END, err) : rc;
}

static int write_image(const struct image *im, const char *path, struct err *err)
{
	char layer[HEX];
	struct sink first = {.digest = pki_digest_new()}, second = {0};
	struct file_out out;
	int rc = put_layer(&first, im, err);
	digest_hex(first.digest, layer);
	pki_digest_free(first.digest);
	if (rc != 0 || file_out_open(&out, path, 0, err) != 0)
		return err->code;
	second.out = &out;
	if (put_layout(&second, im, layer, first.bytes, err) == 0)
		file_out_leave(&out);
	else
		file_out_drop(&out);
	return err->code;
}

int system_image_write(const char *path, const char *name, struct err *err)
{
	struct image *im = xcalloc(1, sizeof *im);
	CHECK(*path && *name);
	im->name = name;
	if (image_open(im, err) == 0)
		write_image(im, path, err);
	image_close(im);
	return err->code ? err_wrap(err, "image of this program") : 0;
}
