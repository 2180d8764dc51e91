/* See image_wasi.h.
 *
 *     PULLING (ctr images pull --platform ..., one platform after the other) --> ASKING (what its name stands for)
 *     --> READING (the index, on the pool) --> NAMING (its name stands for the manifest now)
 *     --> SETTLING (until the runtime has heard of it) --> done
 *
 * ctr asks registries as the runtime does (certs.d), but has no credentials: its arguments can be seen by everybody on
 * the machine. What can go wrong: the registry, an index without such a platform either; a name that stands for a
 * manifest already is fine. */
#include "node/runtime/image_wasi.h"

#include "base/check.h"
#include "base/log.h"
#include "base/proc/process.h"
#include "base/rt/sm.h"
#include "node/ground/errand.h"
#include "node/ground/files.h"
#include "node/ground/node_record.h"
#include "node/runtime/containerd.h"
#include "node/runtime/cri.h"
#include "node/runtime/image_name.h"
#include "node/runtime/proto/images.pb-c.h"

#include <errno.h>
#include <stdlib.h>

#define IMAGES(name) Containerd__Services__Images__V1__##name
#define IMAGES_PATH "/containerd.services.images.v1.Images/"

/* The runtime hears of it by an event of its own. */
enum { SETTLE_MS = 20, SETTLES_MAX = 250 };
enum { CALL_MS = 30000, INDEX_BYTES_MAX = 4 * 1024 * 1024 };

const char *const image_wasi_platforms[] = {"wasi/wasm", "wasip1/wasm", NULL};

enum wasi_state { WASI_PULLING, WASI_ASKING, WASI_READING, WASI_NAMING, WASI_SETTLING };

struct image_wasi {
	struct node *n;
	struct sm sm;
	struct arena arena;
	struct errand errand;
	const char *image, *digest;
	size_t platform; /* which is tried */
	struct process *ctr;
	struct cri_call *call;
	struct wasi_manifest manifest;
	uv_timer_t timer;
	unsigned settles;
	struct err err;
	void (*done)(void *arg, const struct err *err); /* NULL: forgotten */
	void *arg;
};

static bool holds(const struct sm *m, int before)
{
	const struct image_wasi *w = CONTAINER_OF(m, struct image_wasi, sm);
	return !(w->ctr && w->call);
}

static const struct sm_state states[] = {
        [WASI_PULLING] = {"pulling", SM_TO(WASI_ASKING)},
        [WASI_ASKING] = {"asking", SM_TO(WASI_READING)},
        [WASI_READING] = {"reading", SM_TO(WASI_NAMING)},
        [WASI_NAMING] = {"naming", SM_TO(WASI_SETTLING)},
        [WASI_SETTLING] = {"settling", 0},
};
static const struct sm_kind machine = SM_KIND("image-wasi", states, holds);

static void timer_closed(uv_handle_t *h)
{
	struct image_wasi *w = h->data;
	arena_release(&w->arena);
	free(w);
}

static void wasi_free(struct image_wasi *w)
{
	CHECK(!w->ctr && !w->call);
	uv_close((uv_handle_t *)&w->timer, timer_closed);
}

static void end(struct image_wasi *w, const struct err *err)
{
	LOOP_CHECK_OWNER(w->n->loop);
	if (w->done)
		w->done(w->arg, err);
	wasi_free(w);
}

/* ---- which manifest ---- */

static bool is_wasi(const struct json *manifest)
{
	struct slice os = json_str(json_path(manifest, "platform", "os", NULL)),
	             architecture = json_str(json_path(manifest, "platform", "architecture", NULL));
	return slice_starts(os, "wasi") && slice_starts(architecture, "wasm");
}

int image_wasi_manifest(struct arena *a, struct slice index, struct wasi_manifest *ret, struct err *err)
{
	struct json *v = json_parse(a, index, NULL, err);
	if (!v)
		return err->code;
	JSON_FOREACH (it, json_get(v, "manifests")) {
		struct wasi_manifest m = {.media_type = json_cstr(a, json_get(it, "mediaType")),
		        .digest = json_cstr(a, json_get(it, "digest")),
		        .size = json_get_int(it, "size", 0)};
		if (!is_wasi(it) || m.size <= 0 || !slice_starts(slice_of(m.digest), "sha256:"))
			continue;
		*ret = m;
		return 0;
	}
	return err_set(err, ERR_NOT_FOUND, "the image has nothing for this node's platform, nor for wasi/wasm");
}

/* ---- naming ---- */

static void settle(uv_timer_t *t);

static void have_status(void *arg, const void *answer, const struct err *err)
{
	struct image_wasi *w = arg;
	const CRI(ImageStatusResponse) *r = answer;
	w->call = NULL;
	if (r && r->image) {
		log_info("node", "an image for WebAssembly alone is taken by its manifest", "image=%s manifest=%s",
		        w->image, w->manifest.digest);
		end(w, NULL);
	} else if (!err && ++w->settles < SETTLES_MAX) {
		uv_timer_start(&w->timer, settle, SETTLE_MS, 0);
	} else {
		err_set(&w->err, err ? err->code : ERR_TIMEOUT, "the runtime does not take the image %s", w->image);
		end(w, &w->err);
	}
}

static void settle(uv_timer_t *t)
{
	struct image_wasi *w = t->data;
	CRI(ImageRequest) r = RUNTIME__V1__IMAGE_REQUEST__INIT;
	CRI(ImageSpec) spec = RUNTIME__V1__IMAGE_SPEC__INIT;
	if (w->n->closing || !w->n->cri) {
		err_set(&w->err, ERR_CANCELED, "the node is closing");
		end(w, &w->err);
		return;
	}
	spec.image = (char *)w->image;
	r.image = &spec;
	w->call = cri_call(w->n->cri, "ImageService/ImageStatus", &r.base,
	        &runtime__v1__image_status_response__descriptor, CALL_MS, have_status, w);
}

static void named(void *arg, const void *answer, const struct err *err)
{
	struct image_wasi *w = arg;
	w->call = NULL;
	if (err) {
		end(w, err);
		return;
	}
	sm_move(&w->sm, WASI_SETTLING);
	settle(&w->timer);
}

static void name(struct image_wasi *w)
{
	IMAGES(UpdateImageRequest) r = CONTAINERD__SERVICES__IMAGES__V1__UPDATE_IMAGE_REQUEST__INIT;
	IMAGES(Image) image = CONTAINERD__SERVICES__IMAGES__V1__IMAGE__INIT;
	IMAGES(Descriptor) target = CONTAINERD__SERVICES__IMAGES__V1__DESCRIPTOR__INIT;
	IMAGES(FieldMask) mask = CONTAINERD__SERVICES__IMAGES__V1__FIELD_MASK__INIT;
	char path[] = "target", *paths[] = {path};
	target.media_type = (char *)w->manifest.media_type;
	target.digest = (char *)w->manifest.digest;
	target.size = w->manifest.size;
	image.name = (char *)w->image;
	image.target = &target;
	mask.paths = paths;
	mask.n_paths = 1;
	r.image = &image;
	r.update_mask = &mask;
	sm_move(&w->sm, WASI_NAMING);
	w->call = cri_call(w->n->cri, IMAGES_PATH "Update", &r.base,
	        &containerd__services__images__v1__get_image_response__descriptor, CALL_MS, named, w);
}

/* ---- reading ---- */

static void read_index(struct errand *e)
{
	struct image_wasi *w = CONTAINER_OF(e, struct image_wasi, errand);
	const char *path = arena_printf(&w->arena,
	        "%s/agent/containerd/io.containerd.content.v1.content/blobs/sha256/%s", w->n->o.data_dir, w->digest);
	size_t len = 0;
	char *text = file_read(path, INDEX_BYTES_MAX, false, &len);
	if (!text)
		err_errno(&w->err, errno, "read the image's index %s", path);
	else
		image_wasi_manifest(&w->arena, (struct slice){text, len}, &w->manifest, &w->err);
	free(text);
}

static void index_read(struct errand *e)
{
	struct image_wasi *w = CONTAINER_OF(e, struct image_wasi, errand);
	if (!w->done || w->n->closing || !w->n->cri)
		err_set(&w->err, ERR_CANCELED, "the node is closing");
	if (w->err.code)
		end(w, &w->err);
	else
		name(w);
}

static void have_image(void *arg, const void *answer, const struct err *err)
{
	struct image_wasi *w = arg;
	const IMAGES(GetImageResponse) *r = answer;
	const char *digest = r && r->image && r->image->target ? r->image->target->digest : "";
	w->call = NULL;
	if (!err && (strncmp(digest, "sha256:", 7) != 0 || strchr(digest, '/')))
		err_set(&w->err, ERR_NOT_FOUND, "the runtime does not say what %s is", w->image);
	if (err || w->err.code) {
		end(w, err ? err : &w->err);
		return;
	}
	w->digest = arena_strdup(&w->arena, digest + 7);
	sm_move(&w->sm, WASI_READING);
	if (errand_start(w->n, &w->errand, read_index, index_read))
		return;
	err_set(&w->err, ERR_BUSY, "too much blocking work is queued");
	end(w, &w->err);
}

static void ask(struct image_wasi *w)
{
	IMAGES(GetImageRequest) r = CONTAINERD__SERVICES__IMAGES__V1__GET_IMAGE_REQUEST__INIT;
	r.name = (char *)w->image;
	sm_move(&w->sm, WASI_ASKING);
	w->call = cri_call(w->n->cri, IMAGES_PATH "Get", &r.base,
	        &containerd__services__images__v1__get_image_response__descriptor, CALL_MS, have_image, w);
}

/* ---- pulling ---- */

static int pull(struct image_wasi *w);

static bool says(struct slice output, const char *text)
{
	return memmem(output.ptr, output.len, text, strlen(text)) != NULL;
}

static void pulled(struct process *p, int status, struct slice output, void *arg)
{
	struct image_wasi *w = arg;
	w->ctr = NULL;
	struct slice last = slice_trim(output);
	bool is_other = status != 0 && says(output, IMAGE_HAS_NO_PLATFORM);
	for (struct slice rest = last; rest.len;)
		last = slice_cut(&rest, '\n');
	if (w->n->closing || !w->n->cri)
		err_set(&w->err, ERR_CANCELED, "the node is closing");
	else if (is_other && image_wasi_platforms[w->platform + 1])
		w->platform++, pull(w);
	else if (is_other)
		err_set(&w->err, ERR_NOT_FOUND, "the image has nothing for this node's platform, nor for wasi/wasm");
	else if (status == 0 || says(output, IMAGE_IS_ARTIFACT))
		ask(w);
	else
		err_set(&w->err, ERR_UNAVAILABLE, "%.*s", SLICE_FMT(last));
	if (w->err.code)
		end(w, &w->err);
}

static int pull(struct image_wasi *w)
{
	const char *const argv[] = {"ctr", "-a", containerd_socket(w->n->containerd), "-n", "k8s.io", "images", "pull",
	        "--hosts-dir", arena_printf(&w->arena, "%s/agent/etc/containerd/certs.d", w->n->o.data_dir),
	        "--platform", image_wasi_platforms[w->platform], w->image, NULL};
	struct process_options o = {.loop = w->n->loop, .argv = argv, .on_exit = pulled, .arg = w};
	return process_start(&o, &w->ctr, &w->err);
}

struct image_wasi *image_wasi_begin(
        struct node *n, const char *image, bool is_here, void (*done)(void *arg, const struct err *err), void *arg)
{
	LOOP_CHECK_OWNER(n->loop);
	CHECK(n->cri && done);
	struct image_wasi *w = xcalloc(1, sizeof *w);
	w->n = n;
	w->image = arena_strdup(&w->arena, image);
	w->done = done;
	w->arg = arg;
	sm_init(&w->sm, &machine, WASI_PULLING, w->image);
	uv_timer_init(loop_uv(n->loop), &w->timer);
	w->timer.data = w;
	/* Without ctr the question is put all the same, and its answer says that the image is not there. */
	if (is_here || pull(w) != 0) {
		w->err = ERR_INIT;
		ask(w);
	}
	return w;
}

void image_wasi_forget(struct image_wasi *w)
{
	LOOP_CHECK_OWNER(w->n->loop);
	w->done = NULL;
	if (w->ctr)
		process_forget(TAKE(w->ctr));
	if (w->call)
		cri_forget(TAKE(w->call));
	if (sm_state(&w->sm) != WASI_READING)
		wasi_free(w);
}
