/* See image_import.h. CRI cannot import, so archives go through `ctr images import`, one after the other:
 *
 *     IDLE --> ASKING (are our own images there?) --> LISTING (pool) --> IMPORTING --> NOTING (pool) --> IDLE
 *
 * Two images are our own: the pause program's, and that of this binary, which add-ons run from. Their archives are made
 * when they are needed; the second one, as large as the binary, is removed when it is in, and made anew when the binary
 * or a library of it is another one.
 *
 * What was imported is marked as pinned, image by image, so that nobody collects it as garbage: it could not be pulled
 * again where there is no network. Archives may be packed: gzip and zstd, the programs, unpack them on the way.
 *
 * The first round, which the node waits for, leaves the second one out: it takes most of a second, and only add-ons
 * need it. It comes in a round at once after; requests for it wait meanwhile (image.c).
 *
 * An archive is imported when its name, size and time are not among those noted in DATA/agent/images/.imported; a store
 * without the pause image is an empty one, and nothing is taken for imported then. The folder is watched with inotify,
 * and read a little later so that files that are being copied settle.
 *
 * What can go wrong: an archive that cannot be imported is told, passed over, and tried again when it has changed. */
#include "node/runtime/image_import.h"

#include "base/check.h"
#include "base/file/file_dirs.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/proc/process.h"
#include "base/rt/sm.h"
#include "node/ground/errand.h"
#include "node/ground/files.h"
#include "node/ground/node_record.h"
#include "node/runtime/containerd.h"
#include "node/runtime/cri.h"
#include "node/runtime/image_name.h"
#include "node/runtime/image_wasi.h"
#include "node/runtime/pause_image.h"
#include "node/runtime/system_image.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* An archive of each of ours beside those of the folder. */
enum { OWN_ARCHIVES = 2 };
enum { STATUS_MS = 30000, SETTLE_MS = 1000, STAMPS_BYTES_MAX = 1024 * 1024 };

enum import_state { IMPORT_IDLE, IMPORT_ASKING, IMPORT_LISTING, IMPORT_RUNNING, IMPORT_NOTING };

struct archive {
	const char *path, *stamp; /* name, size and time */
	bool is_in, is_tried, is_system;
	size_t tried_wasi; /* so many platforms of WebAssembly, for it has nothing for ours */
};

struct image_import {
	struct node *n;
	struct sm sm;
	struct errand errand;
	struct arena arena; /* of this round */
	struct archive *archives;
	size_t count, next;
	bool has_pause, needs_pause, has_system, is_first, again, watching;
	bool owes_system; /* the image of this binary has not been looked after yet */
	const char *dir, *stamp_file, *pause_dir;
	struct strbuf failed; /* stamps of those that could not be imported */
	const char **pins;    /* of the archive that was imported last, in the arena: to be marked yet */
	size_t n_pins, n_named;
	struct image_wasi *wasi;
	struct process *importer;
	struct err err;
	void (*done)(struct node *n);
	void (*imported)(struct node *n);
	uv_fs_event_t watch;
	uv_timer_t timer;
	unsigned open; /* handles */
	void (*closed)(void *arg);
	void *closed_arg;
};

static bool holds(const struct sm *m, int before)
{
	const struct image_import *im = CONTAINER_OF(m, struct image_import, sm);
	return sm_state(m) == IMPORT_RUNNING ? im->next <= im->count : !im->importer;
}

static const struct sm_state states[] = {
        [IMPORT_IDLE] = {"idle", SM_TO(IMPORT_ASKING)},
        [IMPORT_ASKING] = {"asking", SM_TO(IMPORT_LISTING) | SM_TO(IMPORT_IDLE)},
        [IMPORT_LISTING] = {"listing", SM_TO(IMPORT_RUNNING)},
        [IMPORT_RUNNING] = {"importing", SM_TO(IMPORT_NOTING) | SM_TO(IMPORT_IDLE)},
        [IMPORT_NOTING] = {"noting", SM_TO(IMPORT_IDLE)},
};
static const struct sm_kind machine = SM_KIND("image-import", states, holds);

/* ---- the folder (pool) ---- */

static const char *stamp_of(struct arena *a, const char *path)
{
	struct stat st;
	if (stat(path, &st) != 0)
		return "";
	return arena_printf(a, "%s %lld %lld.%09ld\n", path, (long long)st.st_size, (long long)st.st_mtim.tv_sec,
	        st.st_mtim.tv_nsec);
}

static void add_archive(struct image_import *im, const char *path, const char *known)
{
	CHECK(im->count < IMAGE_ARCHIVES_MAX + OWN_ARCHIVES);
	const char *stamp = stamp_of(&im->arena, path);
	bool is_in = im->has_pause && known && *stamp && strstr(known, stamp);
	im->archives[im->count++] = (struct archive){.path = path, .stamp = stamp, .is_in = is_in, .is_tried = is_in};
}

static void write_pause_image(struct image_import *im)
{
	struct strbuf tar = STRBUF_INIT;
	const char *path = arena_printf(&im->arena, "%s/pause.tar", im->pause_dir);
	pause_image_write(&tar, im->n->o.pause_image);
	if (file_make_dirs(im->pause_dir, 0711, &im->err) == 0 &&
	        file_write(path, strbuf_slice(&tar), 0644, &im->err) == 0)
		add_archive(im, path, NULL);
	strbuf_release(&tar);
}

static bool has_failed(const struct image_import *im, const char *stamp)
{
	return im->failed.len && *stamp && strstr(strbuf_cstr(&im->failed), stamp);
}

/* Its stamp is of what it is made of: the archive itself does not stay. */
static void write_system_image(struct image_import *im, const char *known)
{
	const char *stamp = system_image_stamp(&im->arena, im->n->o.system_image);
	const char *path = arena_printf(&im->arena, "%s/system.tar", im->pause_dir);
	bool is_in = im->has_system && known && *stamp && strstr(known, stamp);
	if (has_failed(im, stamp))
		return;
	if (is_in || (file_make_dirs(im->pause_dir, 0711, &im->err) == 0 &&
	                     system_image_write(path, im->n->o.system_image, &im->err) == 0))
		im->archives[im->count++] = (struct archive){
		        .path = path, .stamp = stamp, .is_in = is_in, .is_tried = is_in, .is_system = true};
}

const char *image_import_unpacker(struct slice name)
{
	static const struct {
		const char *end, *program;
	} kinds[] = {{".tar", ""}, {".tar.gz", "gzip"}, {".tgz", "gzip"}, {".tar.zst", "zstd"}, {".tzst", "zstd"}};
	for (size_t i = 0; i < COUNT_OF(kinds); i++)
		if (slice_ends(name, kinds[i].end))
			return kinds[i].program;
	return NULL;
}

static void list_on_pool(struct errand *e)
{
	struct image_import *im = CONTAINER_OF(e, struct image_import, errand);
	char *known = file_read(im->stamp_file, STAMPS_BYTES_MAX, false, NULL);
	DIR *d = opendir(im->dir);
	im->archives = ARENA_ARRAY(&im->arena, struct archive, IMAGE_ARCHIVES_MAX + OWN_ARCHIVES);
	if (im->needs_pause)
		write_pause_image(im);
	if (!im->is_first)
		write_system_image(im, known);
	for (struct dirent *f; d && im->count < IMAGE_ARCHIVES_MAX && (f = readdir(d));)
		if (f->d_name[0] != '.' && image_import_unpacker(slice_of(f->d_name)))
			add_archive(im, arena_printf(&im->arena, "%s/%s", im->dir, f->d_name), known);
	if (d)
		closedir(d);
	free(known);
}

static void note_on_pool(struct errand *e)
{
	struct image_import *im = CONTAINER_OF(e, struct image_import, errand);
	struct strbuf b = STRBUF_INIT;
	for (size_t i = 0; i < im->count; i++)
		if (im->archives[i].is_in)
			strbuf_adds(&b, im->archives[i].stamp);
	file_write(im->stamp_file, strbuf_slice(&b), 0644, &im->err);
	strbuf_release(&b);
}

/* ---- the round ---- */

static void settled(uv_timer_t *t);

static void round_is_over(struct image_import *im)
{
	LOOP_CHECK_OWNER(im->n->loop);
	bool was_first = im->is_first;
	sm_move(&im->sm, IMPORT_IDLE);
	arena_release(&im->arena);
	im->archives = NULL;
	im->count = im->next = 0;
	im->is_first = false;
	im->owes_system = im->owes_system && was_first;
	if (im->n->closing)
		return;
	if (was_first)
		im->done(im->n);
	else
		im->imported(im->n);
	if (was_first || im->again)
		uv_timer_start(&im->timer, settled, was_first ? 0 : SETTLE_MS, 0);
}

bool image_import_owes(const struct image_import *im, const char *image)
{
	LOOP_CHECK_OWNER(im->n->loop);
	return im->owes_system && strcmp(image, im->n->o.system_image) == 0;
}

static void noted(struct errand *e)
{
	struct image_import *im = CONTAINER_OF(e, struct image_import, errand);
	if (im->err.code)
		log_warn("node", "cannot note the imported images", "error=\"%s\"", im->err.msg);
	round_is_over(im);
}

static void note(struct image_import *im)
{
	bool any = false;
	for (size_t i = 0; i < im->count; i++)
		any = any || (im->archives[i].is_in && im->archives[i].is_tried);
	im->err = ERR_INIT;
	if (any && !im->n->closing) {
		sm_move(&im->sm, IMPORT_NOTING);
		if (errand_start(im->n, &im->errand, note_on_pool, noted))
			return;
	}
	round_is_over(im);
}

static void import_next(struct image_import *im);

static void pin_next(struct image_import *im);

static void pinned(struct process *p, int status, struct slice output, void *arg)
{
	struct image_import *im = arg;
	CHECK(im->importer == p);
	im->importer = NULL;
	if (status != 0)
		log_warn("node", "cannot pin an image", "image=%s status=%d output=\"%.*s\"", im->pins[im->n_pins],
		        status, SLICE_FMT(slice_trim(output)));
	pin_next(im);
}

static void pin_next(struct image_import *im)
{
	while (im->n_pins && !im->n->closing) {
		struct err err = ERR_INIT;
		const char *const argv[] = {"ctr", "-a", containerd_socket(im->n->containerd), "-n", "k8s.io", "images",
		        "label", im->pins[--im->n_pins], "io.cri-containerd.pinned=pinned", NULL};
		struct process_options o = {.loop = im->n->loop, .argv = argv, .on_exit = pinned, .arg = im};
		if (process_start(&o, &im->importer, &err) == 0)
			return;
		log_warn("node", "cannot pin an image", "image=%s error=\"%s\"", im->pins[im->n_pins], err.msg);
	}
	import_next(im);
}

size_t image_import_names(struct arena *a, struct slice output, const char ***ret)
{
	size_t n = 0, lines = 1;
	for (size_t i = 0; i < output.len; i++)
		lines += output.ptr[i] == '\n';
	const char **names = ARENA_ARRAY(a, const char *, lines);
	while (output.len) {
		struct slice line = slice_trim(slice_cut(&output, '\n'));
		if (!slice_starts(line, "unpacking "))
			continue;
		line.ptr += strlen("unpacking ");
		line.len -= strlen("unpacking ");
		const char *end = memmem(line.ptr, line.len, " (sha256:", strlen(" (sha256:"));
		if (end && end != line.ptr)
			names[n++] = arena_memdup(a, line.ptr, (size_t)(end - line.ptr));
	}
	*ret = names;
	return n;
}

static void name_next(struct image_import *im);

static void wasi_named(void *arg, const struct err *err)
{
	struct image_import *im = arg;
	im->wasi = NULL;
	if (err)
		log_warn("node", "cannot take an image for WebAssembly", "image=%s error=\"%s\"",
		        im->pins[im->n_named - 1], err->msg);
	name_next(im);
}

/* Of an archive for WebAssembly alone, the names have to stand for what is meant (image_wasi.h). */
static void name_next(struct image_import *im)
{
	if (im->archives[im->next - 1].tried_wasi && im->n_named < im->n_pins && im->n->cri && !im->n->closing)
		im->wasi = image_wasi_begin(im->n, im->pins[im->n_named++], true, wasi_named, im);
	else
		pin_next(im);
}

static void import_ended(struct process *p, int status, struct slice output, void *arg)
{
	CHECK(((struct image_import *)arg)->importer == p);
	struct image_import *im = arg;
	struct archive *a = &im->archives[im->next - 1];
	im->importer = NULL;
	if (status != 0 && im->n->o.has_wasm && image_wasi_platforms[a->tried_wasi] &&
	        memmem(output.ptr, output.len, IMAGE_HAS_NO_PLATFORM, strlen(IMAGE_HAS_NO_PLATFORM))) {
		a->tried_wasi++;
		im->next--;
		import_next(im);
		return;
	}
	/* An artifact has nothing to unpack, which ctr takes for a failure. */
	a->is_in = status == 0 ||
	           (im->n->o.has_wasm && memmem(output.ptr, output.len, IMAGE_IS_ARTIFACT, strlen(IMAGE_IS_ARTIFACT)));
	if (a->is_in) {
		log_info("node", "images imported", "archive=%s", a->path);
	} else {
		log_warn("node", "cannot import images", "archive=%s status=%d output=\"%.*s\"", a->path, status,
		        SLICE_FMT(slice_trim(output)));
		strbuf_adds(&im->failed, a->stamp);
	}
	if (a->is_system)
		unlink(a->path);
	im->n_pins = a->is_in ? image_import_names(&im->arena, output, &im->pins) : 0;
	im->n_named = 0;
	name_next(im);
}

/* $0 is what unpacks, $1 the archive, $2 the socket, $3 a platform or nothing. Half of an archive is none, and so an
 * error of ctr's. */
static const char unpack[] =
        "{ command -v \"$0\" >/dev/null || echo \"there is no $0 to unpack it: apt-get install $0\" >&2; "
        "\"$0\" -dcq -- \"$1\" 2>/dev/null; } | ctr -a \"$2\" -n k8s.io images import ${3:+--platform \"$3\"} -";

static void import_next(struct image_import *im)
{
	struct err err = ERR_INIT;
	CHECK(sm_state(&im->sm) == IMPORT_RUNNING && !im->importer);
	while (im->next < im->count && !im->n->closing) {
		struct archive *a = &im->archives[im->next++];
		if (a->is_in || has_failed(im, a->stamp))
			continue;
		const char *socket = containerd_socket(im->n->containerd),
		           *unpacker = image_import_unpacker(slice_of(a->path));
		const char *platform = a->tried_wasi ? image_wasi_platforms[a->tried_wasi - 1] : NULL;
		const char *const plain[] = {"ctr", "-a", socket, "-n", "k8s.io", "images", "import",
		        platform ? "--platform" : a->path, platform, platform ? a->path : NULL, NULL};
		const char *const packed[] = {"sh", "-c", unpack, unpacker, a->path, socket, platform, NULL};
		struct process_options o = {.loop = im->n->loop,
		        .argv = unpacker && *unpacker ? packed : plain,
		        .on_exit = import_ended,
		        .arg = im};
		a->is_tried = true;
		if (process_start(&o, &im->importer, &err) == 0)
			return;
		log_warn("node", "cannot import images", "archive=%s error=\"%s\"", a->path, err.msg);
	}
	note(im);
}

static void listed(struct errand *e)
{
	LOOP_CHECK_OWNER(e->n->loop);
	struct image_import *im = CONTAINER_OF(e, struct image_import, errand);
	if (im->err.code)
		log_error("node", "cannot make an image of our own", "error=\"%s\"", im->err.msg);
	if (strlen(strbuf_cstr(&im->failed)) > STAMPS_BYTES_MAX)
		strbuf_reset(&im->failed);
	sm_move(&im->sm, IMPORT_RUNNING);
	import_next(im);
}

static bool is_there(const void *answer)
{
	const CRI(ImageStatusResponse) *r = answer;
	return r && r->image;
}

static void ask_for(
        struct image_import *im, const char *image, void (*answered)(void *, const void *, const struct err *))
{
	CRI(ImageRequest) r = RUNTIME__V1__IMAGE_REQUEST__INIT;
	CRI(ImageSpec) spec = RUNTIME__V1__IMAGE_SPEC__INIT;
	spec.image = (char *)image;
	r.image = &spec;
	cri_call(im->n->cri, "ImageService/ImageStatus", &r.base, &runtime__v1__image_status_response__descriptor,
	        STATUS_MS, answered, im);
}

static void system_status(void *arg, const void *answer, const struct err *err)
{
	struct image_import *im = arg;
	im->has_system = is_there(answer);
	im->err = ERR_INIT;
	if (!im->n->closing) {
		sm_move(&im->sm, IMPORT_LISTING);
		if (errand_start(im->n, &im->errand, list_on_pool, listed))
			return;
		im->again = true;
		listed(&im->errand);
		return;
	}
	sm_move(&im->sm, IMPORT_IDLE);
}

/* In whatever registry it is to seem to be. */
static bool is_own_pause(const char *image)
{
	return strcmp(image, PAUSE_IMAGE_DEFAULT) == 0 || slice_ends(slice_of(image), "/" PAUSE_IMAGE_DEFAULT);
}

static void pause_status(void *arg, const void *answer, const struct err *err)
{
	struct image_import *im = arg;
	im->has_pause = is_there(answer);
	im->needs_pause = !im->has_pause && is_own_pause(im->n->o.pause_image);
	if (!im->n->closing)
		ask_for(im, im->n->o.system_image, system_status);
	else
		sm_move(&im->sm, IMPORT_IDLE);
}

static void ask(struct image_import *im)
{
	LOOP_CHECK_OWNER(im->n->loop);
	CHECK(im->n->cri && !im->count);
	sm_move(&im->sm, IMPORT_ASKING);
	im->again = false;
	ask_for(im, im->n->o.pause_image, pause_status);
}

/* ---- the folder changes ---- */

static void settled(uv_timer_t *t)
{
	struct image_import *im = t->data;
	if (im->n->closing || !im->n->cri)
		return;
	if (sm_state(&im->sm) == IMPORT_IDLE)
		ask(im);
	else
		im->again = true;
}

static void folder_changed(uv_fs_event_t *h, const char *name, int events, int status)
{
	struct image_import *im = h->data;
	if (name && name[0] == '.')
		return; /* our own notes */
	uv_timer_start(&im->timer, settled, SETTLE_MS, 0);
}

void image_import_start(struct image_import *im, void (*done)(struct node *n))
{
	LOOP_CHECK_OWNER(im->n->loop);
	if (sm_state(&im->sm) != IMPORT_IDLE)
		return; /* under way: the runtime came up again meanwhile */
	im->done = done;
	im->is_first = true;
	if (!im->watching && uv_fs_event_start(&im->watch, folder_changed, im->dir, 0) == 0)
		im->watching = true;
	ask(im);
}

void image_import_again(struct image_import *im)
{
	LOOP_CHECK_OWNER(im->n->loop);
	uv_timer_start(&im->timer, settled, SETTLE_MS, 0);
}

/* ---- life ---- */

struct image_import *image_import_new(struct node *n, void (*imported)(struct node *n))
{
	struct image_import *im = xcalloc(1, sizeof *im);
	im->n = n;
	im->imported = imported;
	im->dir = arena_printf(&n->arena, "%s/agent/images", n->o.data_dir);
	im->stamp_file = arena_printf(&n->arena, "%s/.imported", im->dir);
	im->pause_dir = arena_printf(&n->arena, "%s/agent/containerd", n->o.data_dir);
	im->open = 2;
	im->owes_system = true;
	sm_init(&im->sm, &machine, IMPORT_IDLE, "");
	uv_timer_init(loop_uv(n->loop), &im->timer);
	uv_fs_event_init(loop_uv(n->loop), &im->watch);
	im->timer.data = im->watch.data = im;
	return im;
}

static void handle_closed(uv_handle_t *h)
{
	struct image_import *im = h->data;
	if (--im->open == 0)
		im->closed(im->closed_arg);
}

void image_import_close(struct image_import *im, void (*closed)(void *arg), void *arg)
{
	LOOP_CHECK_OWNER(im->n->loop);
	CHECK(im->n->closing && !im->closed);
	im->closed = closed;
	im->closed_arg = arg;
	uv_close((uv_handle_t *)&im->timer, handle_closed);
	uv_close((uv_handle_t *)&im->watch, handle_closed);
}

void image_import_free(struct image_import *im)
{
	CHECK(!im->open);
	if (im->wasi)
		image_wasi_forget(TAKE(im->wasi));
	if (im->importer)
		process_forget(im->importer);
	strbuf_release(&im->failed);
	arena_release(&im->arena);
	free(im);
}
