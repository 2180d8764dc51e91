/* Images: what is imported at the start, and having an image at hand when a container needs it.
 *
 * CRI cannot import, so archives go through `ctr images import`, one after the other, before any pod starts: the pause
 * image of our own when it is absent, then every *.tar in DATA/agent/images that is new or changed since the last
 * import (DATA/agent/images/.imported says what was). An archive that cannot be imported is logged and passed over.
 *
 * image_ensure() asks for the image's status and pulls by the policy. Requests may be forgotten at any time. */
#include "node/runtime/image.h"

#include "base/log.h"
#include "base/proc/process.h"
#include "node/ground/files.h"
#include "node/ground/node_record.h"
#include "node/runtime/containerd.h"
#include "node/runtime/cri.h"
#include "node/runtime/pause_image.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STATUS_MS = 30000, PULL_MS = 600000, IMAGES_REPORTED_MAX = 50 };

struct images {
	struct node *n;
	struct arena arena; /* of the import */
	const char **archives;
	size_t count, next;
	struct strbuf imported;
	struct process *importer;
	void (*done)(struct node *n);
	void (*changed)(struct node *n);
	char *status_json;
	struct cri_call *listing;
};

/* ---- import ---- */

static void import_next(struct images *im);

static void list_archives(struct images *im, const char *dir)
{
	DIR *d = opendir(dir);
	for (struct dirent *e; d && (e = readdir(d));) {
		if (!slice_ends(slice_of(e->d_name), ".tar") || e->d_name[0] == '.')
			continue;
		const char **v = ARENA_ARRAY(&im->arena, const char *, im->count + 1);
		if (im->count)
			memcpy(v, im->archives, im->count * sizeof *v);
		v[im->count++] = arena_printf(&im->arena, "%s/%s", dir, e->d_name);
		im->archives = v;
	}
	if (d)
		closedir(d);
}

static const char *stamp_of(struct arena *a, const char *path)
{
	struct stat st;
	if (stat(path, &st) != 0)
		return "";
	return arena_printf(a, "%s %lld %lld.%09ld\n", path, (long long)st.st_size, (long long)st.st_mtim.tv_sec,
	        st.st_mtim.tv_nsec);
}

static const char *stamp_file(struct images *im)
{
	return arena_printf(&im->arena, "%s/agent/images/.imported", im->n->o.data_dir);
}

static void import_done(struct images *im)
{
	struct node *n = im->n;
	struct err err = ERR_INIT;
	if (im->count && file_write(stamp_file(im), strbuf_slice(&im->imported), 0644, &err) != 0)
		log_warn("node", "cannot note the imported images", "error=\"%s\"", err.msg);
	strbuf_reset(&im->imported);
	arena_release(&im->arena);
	im->archives = NULL;
	im->count = im->next = 0;
	im->done(n);
}

static void imported(struct process *p, int status, struct slice output, void *arg)
{
	struct images *im = arg;
	const char *path = im->archives[im->next - 1];
	im->importer = NULL;
	if (status == 0) {
		log_info("node", "images imported", "archive=%s", path);
		strbuf_adds(&im->imported, stamp_of(&im->arena, path));
	} else {
		log_warn("node", "cannot import images", "archive=%s status=%d output=\"%.*s\"", path, status,
		        SLICE_FMT(slice_trim(output)));
	}
	import_next(im);
}

static void import_next(struct images *im)
{
	struct err err = ERR_INIT;
	if (im->n->closing)
		return;
	while (im->next < im->count) {
		const char *path = im->archives[im->next++];
		const char *const argv[] = {"ctr", "-a", containerd_socket(im->n->containerd), "-n", "k8s.io", "images",
		        "import", path, NULL};
		struct process_options o = {.loop = im->n->loop, .argv = argv, .on_exit = imported, .arg = im};
		if (process_start(&o, &im->importer, &err) == 0)
			return;
		log_warn("node", "cannot import images", "archive=%s error=\"%s\"", path, err.msg);
	}
	import_done(im);
}

static void skip_imported(struct images *im)
{
	char *known = file_read(stamp_file(im), 1024 * 1024, false, NULL);
	size_t kept = 0;
	for (size_t i = 0; i < im->count; i++) {
		const char *stamp = stamp_of(&im->arena, im->archives[i]);
		if (known && *stamp && strstr(known, stamp))
			strbuf_adds(&im->imported, stamp);
		else
			im->archives[kept++] = im->archives[i];
	}
	im->count = kept;
	free(known);
}

static void pause_status(void *arg, const void *answer, const struct err *err)
{
	struct images *im = arg;
	struct err e = ERR_INIT;
	const CRI(ImageStatusResponse) *r = answer;
	const char *root = arena_printf(&im->arena, "%s/agent/containerd", im->n->o.data_dir),
	           *path = arena_printf(&im->arena, "%s/pause.tar", root);
	bool own = strcmp(im->n->o.pause_image, PAUSE_IMAGE_DEFAULT) == 0;
	list_archives(im, arena_printf(&im->arena, "%s/agent/images", im->n->o.data_dir));
	/* An empty store: what was imported once is not there any more. */
	if (r && r->image)
		skip_imported(im);
	if (own && !(r && r->image)) {
		struct strbuf tar = STRBUF_INIT;
		pause_image_write(&tar, PAUSE_IMAGE_DEFAULT);
		if (file_make_dirs(root, 0711, &e) != 0 || file_write(path, strbuf_slice(&tar), 0644, &e) != 0)
			log_error("node", "cannot write the pause image", "error=\"%s\"", e.msg);
		strbuf_release(&tar);
		const char **v = ARENA_ARRAY(&im->arena, const char *, im->count + 1);
		v[0] = path;
		if (im->count)
			memcpy(v + 1, im->archives, im->count * sizeof *v);
		im->archives = v;
		im->count++;
	}
	import_next(im);
}

void images_import(struct node *n, void (*done)(struct node *n))
{
	struct images *im = n->images;
	CRI(ImageRequest) r = RUNTIME__V1__IMAGE_REQUEST__INIT;
	CRI(ImageSpec) spec = RUNTIME__V1__IMAGE_SPEC__INIT;
	if (im->importer || im->count)
		return; /* under way: the runtime came up again meanwhile */
	im->done = done;
	spec.image = (char *)n->o.pause_image;
	r.image = &spec;
	cri_call(n->cri, "ImageService/ImageStatus", &r.base, &runtime__v1__image_status_response__descriptor,
	        STATUS_MS, pause_status, im);
}

struct images *images_new(struct node *n, void (*changed)(struct node *n))
{
	struct images *im = xcalloc(1, sizeof *im);
	im->n = n;
	im->changed = changed;
	return im;
}

void images_free(struct images *im)
{
	if (im->importer)
		process_forget(im->importer);
	strbuf_release(&im->imported);
	arena_release(&im->arena);
	free(im->status_json);
	free(im);
}

/* ---- at hand ---- */

struct image_request {
	struct node *n;
	char *image, *policy;
	struct cri_call *call;
	bool pulled;
	void (*on_pull)(void *arg);
	void (*done)(void *arg, const struct image_result *r, const struct err *err);
	void *arg;
};

static void request_free(struct image_request *r)
{
	free(r->image);
	free(r->policy);
	free(r);
}

static void fail(struct image_request *r, const char *reason, const struct err *err)
{
	struct image_result result = {.uid = -1, .reason = reason};
	r->done(r->arg, &result, err);
	request_free(r);
}

static void ask_status(struct image_request *r);

static void pulled(void *arg, const void *answer, const struct err *err)
{
	struct image_request *r = arg;
	r->call = NULL;
	if (err) {
		fail(r, "ErrImagePull", err);
		return;
	}
	r->pulled = true;
	ask_status(r);
}

static void pull(struct image_request *r)
{
	CRI(PullImageRequest) q = RUNTIME__V1__PULL_IMAGE_REQUEST__INIT;
	CRI(ImageSpec) spec = RUNTIME__V1__IMAGE_SPEC__INIT;
	spec.image = r->image;
	q.image = &spec;
	if (r->on_pull)
		r->on_pull(r->arg);
	r->call = cri_call(r->n->cri, "ImageService/PullImage", &q.base, &runtime__v1__pull_image_response__descriptor,
	        PULL_MS, pulled, r);
}

static void status_told(void *arg, const void *answer, const struct err *err)
{
	struct image_request *r = arg;
	const CRI(Image) *image = answer ? ((const CRI(ImageStatusResponse) *)answer)->image : NULL;
	struct err e = ERR_INIT;
	r->call = NULL;
	if (err) {
		fail(r, "ImageInspectError", err);
	} else if (image && (r->pulled || strcmp(r->policy, "Always") != 0)) {
		struct image_result result = {.reference = image->id,
		        .uid = image->uid ? image->uid->value : -1,
		        .username = image->username};
		r->done(r->arg, &result, NULL);
		request_free(r);
	} else if (strcmp(r->policy, "Never") == 0) {
		err_set(&e, ERR_NOT_FOUND, "Container image \"%s\" is not present with pull policy of Never", r->image);
		fail(r, "ErrImageNeverPull", &e);
	} else if (r->pulled) {
		err_set(&e, ERR_NOT_FOUND, "image \"%s\" is not there after its pull", r->image);
		fail(r, "ErrImagePull", &e);
	} else {
		pull(r);
	}
}

static void ask_status(struct image_request *r)
{
	CRI(ImageRequest) q = RUNTIME__V1__IMAGE_REQUEST__INIT;
	CRI(ImageSpec) spec = RUNTIME__V1__IMAGE_SPEC__INIT;
	spec.image = r->image;
	q.image = &spec;
	r->call = cri_call(r->n->cri, "ImageService/ImageStatus", &q.base,
	        &runtime__v1__image_status_response__descriptor, STATUS_MS, status_told, r);
}

const char *image_default_tag(struct arena *a, const char *image)
{
	const char *slash = strrchr(image, '/'), *name = slash ? slash + 1 : image;
	return strchr(name, ':') || strchr(image, '@') ? arena_strdup(a, image) : arena_printf(a, "%s:latest", image);
}

static const char *default_policy(const char *image)
{
	struct arena a = ARENA_INIT;
	bool latest = slice_ends(slice_of(image_default_tag(&a, image)), ":latest");
	arena_release(&a);
	return latest ? "Always" : "IfNotPresent";
}

struct image_request *image_ensure(struct node *n, const char *image, const char *policy, void (*on_pull)(void *arg),
        void (*done)(void *arg, const struct image_result *r, const struct err *err), void *arg)
{
	struct image_request *r = xcalloc(1, sizeof *r);
	*r = (struct image_request){.n = n,
	        .image = xstrdup(image),
	        .policy = xstrdup(*policy ? policy : default_policy(image)),
	        .on_pull = on_pull,
	        .done = done,
	        .arg = arg};
	ask_status(r);
	return r;
}

void image_forget(struct image_request *r)
{
	if (r->call)
		cri_forget(r->call);
	request_free(r);
}

/* ---- the Node's list ---- */

static int by_size(const void *a, const void *b)
{
	const CRI(Image) *x = *(CRI(Image) *const *)a, *y = *(CRI(Image) *const *)b;
	return x->size < y->size ? 1 : x->size > y->size ? -1 : strcmp(x->id, y->id);
}

static void listed(void *arg, const void *answer, const struct err *err)
{
	struct images *im = arg;
	im->listing = NULL;
	if (err)
		return;
	const CRI(ListImagesResponse) *list = answer;
	struct strbuf b = STRBUF_INIT;
	qsort(list->images, list->n_images, sizeof *list->images, by_size);
	strbuf_addc(&b, '[');
	for (size_t i = 0, shown = 0; i < list->n_images && shown < IMAGES_REPORTED_MAX; i++) {
		const CRI(Image) *image = list->images[i];
		if (!image->n_repo_tags && !image->n_repo_digests)
			continue;
		strbuf_addf(&b, "%s{\"names\":[", shown++ ? "," : "");
		size_t names = 0;
		for (size_t k = 0; k < image->n_repo_digests; k++) {
			strbuf_adds(&b, names++ ? "," : "");
			json_write_str(&b, slice_of(image->repo_digests[k]));
		}
		for (size_t k = 0; k < image->n_repo_tags; k++) {
			strbuf_adds(&b, names++ ? "," : "");
			json_write_str(&b, slice_of(image->repo_tags[k]));
		}
		strbuf_addf(&b, "],\"sizeBytes\":%llu}", (unsigned long long)image->size);
	}
	strbuf_addc(&b, ']');
	bool changed = !im->status_json || strcmp(im->status_json, strbuf_cstr(&b)) != 0;
	free(im->status_json);
	im->status_json = strbuf_detach(&b);
	if (changed)
		im->changed(im->n);
}

struct json *images_status(struct node *n, struct arena *a)
{
	struct images *im = n->images;
	if (!im->listing && n->cri) {
		CRI(ListImagesRequest) r = RUNTIME__V1__LIST_IMAGES_REQUEST__INIT;
		im->listing = cri_call(n->cri, "ImageService/ListImages", &r.base,
		        &runtime__v1__list_images_response__descriptor, STATUS_MS, listed, im);
	}
	return im->status_json ? json_parse(a, slice_of(im->status_json), NULL, NULL) : json_new(a, JSON_ARRAY);
}
