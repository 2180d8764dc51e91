/* Images: having one at hand when a container needs it, and the list that the Node shows.
 *
 * image_ensure() checks the name, asks for the image's status and pulls by the policy; one that is being imported is
 * waited for. Requests may be forgotten at any time. */
#include "node/runtime/image.h"

#include "base/check.h"
#include "node/config/kubelet_config.h"
#include "node/ground/node_record.h"
#include "node/runtime/cri.h"
#include "node/runtime/cri_read_int.h"
#include "node/runtime/image_import.h"
#include "node/runtime/image_name.h"
#include "node/runtime/image_wasi.h"

#include <limits.h>
#include <stdlib.h>

/* A pull has no time of its own: the runtime ends one that makes no progress. */
enum { STATUS_MS = 30000, PULL_MS = 0 };

struct images {
	struct node *n;
	void (*changed)(struct node *n);
	char *status_json;
	struct cri_call *listing;
	struct list_link waiting; /* requests, until what is being imported is in */
};

struct images *images_new(struct node *n, void (*changed)(struct node *n))
{
	CHECK(changed);
	struct images *im = xcalloc(1, sizeof *im);
	im->n = n;
	im->changed = changed;
	list_init(&im->waiting);
	return im;
}

void images_free(struct images *im)
{
	free(im->status_json);
	free(im);
}

/* ---- at hand ---- */

struct image_request {
	struct node *n;
	char *image, *policy;
	struct cri_call *call;
	struct image_wasi *wasi;
	struct list_link waiting;
	bool pulled;
	struct arena arena; /* of the credentials */
	struct image_credential *credentials;
	size_t credentials_count, tried;
	struct err bad_name;
	struct loop_task refusal;
	void (*on_pull)(void *arg);
	void (*done)(void *arg, const struct image_result *r, const struct err *err);
	void *arg;
};

static void request_free(struct image_request *r)
{
	CHECK(!r->call && !r->wasi);
	list_del(&r->waiting);
	free(r->image);
	free(r->policy);
	arena_release(&r->arena);
	free(r);
}

static void fail(struct image_request *r, const char *reason, const struct err *err)
{
	CHECK(err->code && *reason);
	struct image_result result = {.uid = -1, .reason = reason};
	r->done(r->arg, &result, err);
	request_free(r);
}

static void ask_status(struct image_request *r);
static void pull(struct image_request *r);

static void wasi_done(void *arg, const struct err *err)
{
	struct image_request *r = arg;
	r->wasi = NULL;
	if (err) {
		fail(r, "ErrImagePull", err);
		return;
	}
	r->pulled = true;
	ask_status(r);
}

/* Its index has nothing for our platform: WebAssembly is one, too. */
static void pull_wasi(struct image_request *r)
{
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	if (r->credentials_count)
		err_set(&err, ERR_UNIMPLEMENTED,
		        "the image has nothing for this node's platform, and what it has for wasi/wasm alone cannot be "
		        "had with credentials: name its manifest by its digest, or push it for this platform, too");
	else
		r->wasi = image_wasi_begin(r->n, image_whole_name(&a, r->image), false, wasi_done, r);
	arena_release(&a);
	if (err.code)
		fail(r, "ErrImagePull", &err);
}

static void pulled(void *arg, const void *answer, const struct err *err)
{
	struct image_request *r = arg;
	r->call = NULL;
	r->tried++;
	/* An artifact has no files to unpack, but was pulled all the same: whether it is there the runtime says itself.
	 */
	bool is_artifact = err && r->n->o.has_wasm && strstr(err->msg, IMAGE_IS_ARTIFACT);
	if (is_artifact) {
		r->pulled = true;
		ask_status(r);
		return;
	}
	if (err && r->n->o.has_wasm && r->n->cri && strstr(err->msg, IMAGE_HAS_NO_PLATFORM)) {
		pull_wasi(r);
		return;
	}
	if (err && err->code != ERR_CANCELED && r->tried < r->credentials_count) {
		pull(r);
		return;
	}
	if (err) {
		fail(r, "ErrImagePull", err);
		return;
	}
	r->pulled = true;
	ask_status(r);
}

static void pull(struct image_request *r)
{
	CHECK(!r->call && !r->pulled);
	CRI(PullImageRequest) q = RUNTIME__V1__PULL_IMAGE_REQUEST__INIT;
	CRI(ImageSpec) spec = RUNTIME__V1__IMAGE_SPEC__INIT;
	CRI(AuthConfig) auth = RUNTIME__V1__AUTH_CONFIG__INIT;
	spec.image = r->image;
	q.image = &spec;
	if (r->tried < r->credentials_count) {
		auth.username = (char *)r->credentials[r->tried].user;
		auth.password = (char *)r->credentials[r->tried].password;
		q.auth = &auth;
	}
	if (r->on_pull && !r->tried)
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
	} else if (image_import_owes(r->n->image_import, r->image)) {
		list_push_back(&r->n->images->waiting, &r->waiting);
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
	CHECK(!r->call);
	CRI(ImageRequest) q = RUNTIME__V1__IMAGE_REQUEST__INIT;
	CRI(ImageSpec) spec = RUNTIME__V1__IMAGE_SPEC__INIT;
	spec.image = r->image;
	q.image = &spec;
	r->call = cri_call(r->n->cri, "ImageService/ImageStatus", &q.base,
	        &runtime__v1__image_status_response__descriptor, STATUS_MS, status_told, r);
}

void images_look_again(struct images *im)
{
	struct list_link *it;
	LOOP_CHECK_OWNER(im->n->loop);
	while ((it = list_pop_front(&im->waiting)))
		ask_status(CONTAINER_OF(it, struct image_request, waiting));
}

/* Not from inside image_ensure(). */
static void refuse(struct loop_task *t)
{
	struct image_request *r = CONTAINER_OF(t, struct image_request, refusal);
	struct node *n = r->n;
	if (r->done)
		fail(r, "InvalidImageName", &r->bad_name);
	else
		request_free(r);
	closing_part_done(&n->parts);
}

static void keep_credentials(struct image_request *r, const struct image_credential *list, size_t count)
{
	r->credentials = ARENA_ARRAY(&r->arena, struct image_credential, count + 1);
	r->credentials_count = count;
	for (size_t i = 0; i < count; i++)
		r->credentials[i] = (struct image_credential){
		        arena_strdup(&r->arena, list[i].user), arena_strdup(&r->arena, list[i].password)};
}

struct image_request *image_ensure(struct node *n, const char *image, const char *policy,
        const struct image_credential *credentials, size_t credentials_count, void (*on_pull)(void *arg),
        void (*done)(void *arg, const struct image_result *r, const struct err *err), void *arg)
{
	LOOP_CHECK_OWNER(n->loop);
	CHECK(done);
	struct image_request *r = xcalloc(1, sizeof *r);
	*r = (struct image_request){.n = n,
	        .image = xstrdup(image),
	        .policy = xstrdup(*policy ? policy : image_default_policy(image)),
	        .on_pull = on_pull,
	        .done = done,
	        .arg = arg};
	list_init(&r->waiting);
	keep_credentials(r, credentials, credentials_count);
	if (image_name_check(image, &r->bad_name) == 0) {
		ask_status(r);
	} else {
		r->refusal.run = refuse;
		closing_hold(&n->parts);
		loop_post(n->loop, &r->refusal);
	}
	return r;
}

void image_forget(struct image_request *r)
{
	LOOP_CHECK_OWNER(r->n->loop);
	if (r->call)
		cri_forget(TAKE(r->call));
	if (r->wasi)
		image_wasi_forget(TAKE(r->wasi));
	if (r->bad_name.code)
		r->done = NULL; /* its task is on the way */
	else
		request_free(r);
}

/* ---- the Node's list ---- */

static unsigned images_max(const struct node *n)
{
	int64_t told = kubelet_config_int(n->config, "nodeStatusMaxImages");
	return told < 0 ? UINT_MAX : (unsigned)told;
}

static void listed(void *arg, const void *answer, const struct err *err)
{
	struct images *im = arg;
	im->listing = NULL;
	if (err)
		return;
	const CRI(ListImagesResponse) *list = answer;
	struct strbuf b = STRBUF_INIT;
	cri_images_json(list, images_max(im->n), &b);
	bool changed = !im->status_json || strcmp(im->status_json, strbuf_cstr(&b)) != 0;
	free(im->status_json);
	im->status_json = strbuf_detach(&b);
	if (changed)
		im->changed(im->n);
}

struct json *images_status(struct node *n, struct arena *a)
{
	LOOP_CHECK_OWNER(n->loop);
	struct images *im = n->images;
	if (!im->listing && n->cri) {
		CRI(ListImagesRequest) r = RUNTIME__V1__LIST_IMAGES_REQUEST__INIT;
		im->listing = cri_call(n->cri, "ImageService/ListImages", &r.base,
		        &runtime__v1__list_images_response__descriptor, STATUS_MS, listed, im);
	}
	return im->status_json ? json_parse(a, slice_of(im->status_json), NULL, NULL) : json_new(a, JSON_ARRAY);
}
