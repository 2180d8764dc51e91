/* An image's settings and files, as a container needs them. The files are what containerd unpacked when it pulled the
 * image: a view of its snapshot is mounted below STATE/images while a container uses it, and shared by all that do.
 *
 *     ImageStatus (verbose): entrypoint, command, environment, the chain of layers --> Snapshots/View --> mount -->
 * ready
 *
 * The view carries a label that keeps containerd's garbage collector off. What can go wrong: an image that was never
 * unpacked, or is no ordinary one; each wait ends with the reason, and the kubelet tries again. */
#include "node/wasm/wasm_int.h"

#include "base/check.h"
#include "base/file/file_dirs.h"
#include "base/json/json.h"
#include "base/log.h"
#include "node/ground/files.h"
#include "node/ground/node_record.h"
#include "node/runtime/proto/images.pb-c.h"
#include "node/runtime/proto/snapshots.pb-c.h"
#include "node/wasm/module/artifact.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define IMAGES(name) Containerd__Services__Images__V1__##name
#define SNAPSHOTS(name) Containerd__Services__Snapshots__V1__##name
#define SNAPSHOTS_PATH "/containerd.services.snapshots.v1.Snapshots/"

/* Pods come again: an image that nobody uses is kept at hand for so long. */
enum { CALL_MS = 60000, IDLE_MS = 10000, FOLDER_DEPTH_MAX = 16, ARTIFACT_BYTES_MAX = 1024 * 1024 };

static char snapshotter[] = "overlayfs";

/* ---- mounting, on the pool ---- */

struct mounting {
	struct errand errand;
	struct module_image *image;
	struct arena arena;
	const char *root, *type, *source, *options;
	const char *blobs, *manifest; /* of an artifact: where blobs are, and which is its manifest */
	const char *blob, *name;      /* what was found in it */
	bool has_files;
	struct err err;
};

/* Regular files, up to two: one is the module. */
static void count_files(int folder, unsigned depth, unsigned *count)
{
	DIR *d = depth < FOLDER_DEPTH_MAX ? fdopendir(folder) : NULL;
	if (!d) {
		close(folder);
		return;
	}
	for (struct dirent *e; *count < 2 && (e = readdir(d));) {
		if (e->d_type == DT_DIR && strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) {
			int below = openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			if (below >= 0)
				count_files(below, depth + 1, count);
		} else if (e->d_type != DT_DIR) {
			++*count;
		}
	}
	closedir(d);
}

static void mount_on_pool(struct errand *e)
{
	struct mounting *m = CONTAINER_OF(e, struct mounting, errand);
	bool is_bind = strcmp(m->type, "bind") == 0;
	unsigned count = 0;
	if (file_make_dirs(m->root, 0711, &m->err) != 0)
		return;
	/* Of an earlier node, which had the same. */
	umount2(m->root, MNT_DETACH);
	if (mount(m->source, m->root, is_bind ? NULL : m->type, is_bind ? MS_BIND : MS_RDONLY | MS_NOSUID | MS_NODEV,
	            is_bind ? NULL : m->options) != 0 ||
	        (is_bind && mount(NULL, m->root, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL) !=
	                            0)) {
		err_errno(&m->err, errno, "mount the files of the image (%s)", m->options);
		return;
	}
	int fd = open(m->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		count_files(fd, 0, &count);
	m->has_files = count > 1;
}

static void read_manifest(struct errand *e)
{
	struct mounting *m = CONTAINER_OF(e, struct mounting, errand);
	const char *path = arena_printf(&m->arena, "%s/%s", m->blobs, m->manifest);
	struct wasm_artifact artifact;
	size_t len = 0;
	char *text = file_read(path, ARTIFACT_BYTES_MAX, false, &len);
	if (!text)
		err_errno(&m->err, errno, "read the image's manifest %s", path);
	else if (wasm_artifact_read(&m->arena, (struct slice){text, len}, &artifact, &m->err) == 0) {
		m->blob = arena_printf(&m->arena, "%s/%s", m->blobs, artifact.hex);
		m->name = artifact.name;
	}
	free(text);
}

static void end_waits(struct module_image *m, const struct err *err)
{
	LOOP_CHECK_OWNER(m->w->n->loop);
	struct list_link *it;
	m->is_asking = false;
	m->is_ready = !err;
	m->users++; /* those who are told may leave */
	while ((it = list_pop_front(&m->waiting))) {
		struct image_wait *wait = CONTAINER_OF(it, struct image_wait, link);
		wait->done(wait, err);
	}
	module_image_leave(m);
}

static void is_mounted_now(struct errand *e)
{
	struct mounting *m = CONTAINER_OF(e, struct mounting, errand);
	struct module_image *image = m->image;
	struct err err = m->err;
	image->has_files = m->has_files;
	if (m->blob && (!image->blob || strcmp(image->blob, m->blob) != 0)) {
		image->blob = arena_strdup(&image->arena, m->blob);
		image->known_path = NULL;
		image->entrypoint = ARENA_ARRAY(&image->arena, char *, 1);
		image->entrypoint[0] = arena_strdup(&image->arena, m->name);
		image->entrypoint_count = 1;
	}
	arena_release(&m->arena);
	free(m);
	end_waits(image, err.code ? &err : NULL);
}

static void mount_view(struct module_image *image, const SNAPSHOTS(MountsResponse) * r)
{
	struct mounting *m = xcalloc(1, sizeof *m);
	struct strbuf options = STRBUF_INIT;
	struct err err = ERR_INIT;
	m->image = image;
	for (size_t i = 0; r->n_mounts == 1 && i < r->mounts[0]->n_options; i++)
		strbuf_addf(&options, "%s%s", i ? "," : "", r->mounts[0]->options[i]);
	if (r->n_mounts != 1) {
		err_set(&err, ERR_UNIMPLEMENTED, "the image's files come as %zu mounts", r->n_mounts);
	} else {
		m->root = image->root;
		m->type = arena_strdup(&m->arena, r->mounts[0]->type);
		m->source = arena_strdup(&m->arena, r->mounts[0]->source);
		m->options = arena_strdup(&m->arena, strbuf_cstr(&options));
		if (!errand_start(image->w->n, &m->errand, mount_on_pool, is_mounted_now))
			err_set(&err, ERR_BUSY, "too much blocking work is queued");
	}
	strbuf_release(&options);
	if (!err.code)
		return;
	arena_release(&m->arena);
	free(m);
	end_waits(image, &err);
}

/* ---- artifacts ---- */

/* The manifest that all names of one image must have in common: "sha256:HEX". */
static const char *manifest_of(struct arena *a, const IMAGES(ListImagesResponse) * r, struct err *err)
{
	const char *found = NULL;
	for (size_t i = 0; i < r->n_images; i++) {
		const char *digest = r->images[i]->target ? r->images[i]->target->digest : "";
		if (strncmp(digest, "sha256:", 7) != 0 || strlen(digest) != 64 + 7)
			continue;
		if (found && strcmp(found, digest + 7) != 0) {
			err_set(err, ERR_UNIMPLEMENTED,
			        "several artifacts have the same configuration, by which the runtime knows them (%s is "
			        "one): give "
			        "each one of its own",
			        r->images[i]->name);
			return NULL;
		}
		found = digest + 7;
	}
	if (!found)
		err_set(err, ERR_NOT_FOUND, "the runtime does not say what the image is made of");
	return found ? arena_strdup(a, found) : NULL;
}

static void have_names(void *arg, const void *answer, const struct err *err)
{
	struct module_image *image = arg;
	const struct node *n = image->w->n;
	struct mounting *m = xcalloc(1, sizeof *m);
	struct err e = err ? *err : ERR_INIT;
	m->image = image;
	m->blobs = arena_printf(
	        &m->arena, "%s/agent/containerd/io.containerd.content.v1.content/blobs/sha256", n->o.data_dir);
	m->manifest = err ? NULL : manifest_of(&m->arena, answer, &e);
	if (m->manifest && *n->o.container_runtime_endpoint)
		err_set(&e, ERR_UNIMPLEMENTED,
		        "artifacts are read from k3x's own containerd alone: use an ordinary image");
	if (!e.code && !errand_start(image->w->n, &m->errand, read_manifest, is_mounted_now))
		err_set(&e, ERR_BUSY, "too much blocking work is queued");
	if (!e.code)
		return;
	arena_release(&m->arena);
	free(m);
	end_waits(image, &e);
}

static void find_in_artifact(struct module_image *image, const CRI(Image) * status)
{
	struct arena a = ARENA_INIT;
	IMAGES(ListImagesRequest) r = CONTAINERD__SERVICES__IMAGES__V1__LIST_IMAGES_REQUEST__INIT;
	struct err err = ERR_INIT;
	r.filters = ARENA_ARRAY(&a, char *, status->n_repo_tags + status->n_repo_digests + 1);
	for (size_t i = 0; i < status->n_repo_tags; i++)
		r.filters[r.n_filters++] = arena_printf(&a, "name==\"%s\"", status->repo_tags[i]);
	for (size_t i = 0; i < status->n_repo_digests; i++)
		r.filters[r.n_filters++] = arena_printf(&a, "name==\"%s\"", status->repo_digests[i]);
	if (r.n_filters) {
		cri_call(image->w->n->cri, "/containerd.services.images.v1.Images/List", &r.base,
		        &containerd__services__images__v1__list_images_response__descriptor, CALL_MS, have_names,
		        image);
	} else {
		err_set(&err, ERR_NOT_FOUND, "the image %s has no name", image->id);
		end_waits(image, &err);
	}
	arena_release(&a);
}

/* ---- asking ---- */

static char *view_key(struct module_image *m)
{
	const char *hex = strrchr(m->id, ':');
	return arena_printf(&m->arena, "k3x-wasm-%s", hex ? hex + 1 : m->id);
}

static void have_mounts(void *arg, const void *answer, const struct err *err)
{
	if (err)
		end_waits(arg, err);
	else
		mount_view(arg, answer);
}

static void have_view(void *arg, const void *answer, const struct err *err)
{
	struct module_image *m = arg;
	if (!err || err->code != ERR_EXISTS || !m->w->n->cri) {
		have_mounts(arg, answer, err);
		return;
	}
	SNAPSHOTS(SnapshotRequest) r = CONTAINERD__SERVICES__SNAPSHOTS__V1__SNAPSHOT_REQUEST__INIT;
	r.snapshotter = snapshotter;
	r.key = view_key(m);
	cri_call(m->w->n->cri, SNAPSHOTS_PATH "Mounts", &r.base,
	        &containerd__services__snapshots__v1__mounts_response__descriptor, CALL_MS, have_mounts, m);
}

static void ask_view(struct module_image *m, const char *chain)
{
	SNAPSHOTS(Label) keep = CONTAINERD__SERVICES__SNAPSHOTS__V1__LABEL__INIT, *labels[] = {&keep};
	SNAPSHOTS(ViewSnapshotRequest) r = CONTAINERD__SERVICES__SNAPSHOTS__V1__VIEW_SNAPSHOT_REQUEST__INIT;
	keep.key = "containerd.io/gc.root";
	keep.value = "k3x";
	r.snapshotter = snapshotter;
	r.key = view_key(m);
	r.parent = (char *)chain;
	r.labels = labels;
	r.n_labels = 1;
	cri_call(m->w->n->cri, SNAPSHOTS_PATH "View", &r.base,
	        &containerd__services__snapshots__v1__mounts_response__descriptor, CALL_MS, have_view, m);
}

static char **texts(struct arena *a, const struct json *list, size_t *count)
{
	char **v = ARENA_ARRAY(a, char *, (list ? list->count : 0) + 1);
	*count = 0;
	JSON_FOREACH (it, list)
		v[(*count)++] = (char *)json_cstr(a, it);
	return v;
}

static void have_status(void *arg, const void *answer, const struct err *err)
{
	struct module_image *m = arg;
	const CRI(ImageStatusResponse) *r = answer;
	struct err none = ERR_INIT;
	const char *text = "";
	for (size_t i = 0; r && i < r->n_info; i++)
		if (strcmp(r->info[i]->key, "info") == 0)
			text = r->info[i]->value;
	struct json *info = *text ? json_parse(&m->arena, slice_of(text), NULL, &none) : NULL;
	struct json *config = json_path(info, "imageSpec", "config", NULL);
	const char *chain = json_cstr(&m->arena, json_get(info, "chainID"));
	if (!err && (!info || !r->image || !m->w->n->cri))
		err_set(&none, ERR_NOT_FOUND, "the runtime does not say what the image %s is made of", m->id);
	if (err || none.code) {
		end_waits(m, err ? err : &none);
		return;
	}
	if (!m->blob)
		m->entrypoint = texts(&m->arena, json_get(config, "Entrypoint"), &m->entrypoint_count);
	m->command = texts(&m->arena, json_get(config, "Cmd"), &m->command_count);
	m->env = texts(&m->arena, json_get(config, "Env"), &m->env_count);
	m->working_dir = json_cstr(&m->arena, json_get(config, "WorkingDir"));
	m->user = json_cstr(&m->arena, json_get(config, "User"));
	if (*chain)
		ask_view(m, chain);
	else
		find_in_artifact(m, r->image);
}

/* ---- users ---- */

struct module_image *module_image_use(struct wasm *w, const char *id)
{
	LOOP_CHECK_OWNER(w->n->loop);
	struct module_image *m = map_get(&w->images, slice_of(id));
	if (!m) {
		m = xcalloc(1, sizeof *m);
		m->w = w;
		m->id = xstrdup(id);
		const char *hex = strrchr(id, ':');
		m->root = arena_printf(&m->arena, "%s/images/%s", w->state, hex ? hex + 1 : id);
		list_init(&m->waiting);
		map_put(&w->images, slice_of(m->id), m);
	}
	m->users++;
	return m;
}

struct ready {
	struct loop_task task;
	struct module_image *image;
};

static void tell_ready(struct loop_task *t)
{
	struct ready *r = CONTAINER_OF(t, struct ready, task);
	struct module_image *m = r->image;
	struct node *n = m->w->n;
	free(r);
	end_waits(m, NULL);
	module_image_leave(m);
	closing_part_done(&n->parts);
}

void module_image_wait(struct module_image *m, struct image_wait *wait)
{
	LOOP_CHECK_OWNER(m->w->n->loop);
	list_push_back(&m->waiting, &wait->link);
	if (m->is_asking)
		return;
	m->is_asking = true;
	if (m->is_ready && !m->blob) {
		struct ready *r = xcalloc(1, sizeof *r);
		*r = (struct ready){.task.run = tell_ready, .image = m};
		m->users++;
		closing_hold(&m->w->n->parts);
		loop_post(m->w->n->loop, &r->task);
		return;
	}
	CRI(ImageRequest) q = RUNTIME__V1__IMAGE_REQUEST__INIT;
	CRI(ImageSpec) spec = RUNTIME__V1__IMAGE_SPEC__INIT;
	spec.image = m->id;
	q.image = &spec;
	q.verbose = true;
	cri_call(m->w->n->cri, "ImageService/ImageStatus", &q.base, &runtime__v1__image_status_response__descriptor,
	        CALL_MS, have_status, m);
}

static void view_removed(void *arg, const void *answer, const struct err *err)
{
	if (err && err->code != ERR_NOT_FOUND && err->code != ERR_CANCELED)
		log_warn("node", "the files of an image are kept by containerd", "error=\"%s\"", err->msg);
}

static void remove_view(struct module_image *m)
{
	LOOP_CHECK_OWNER(m->w->n->loop);
	SNAPSHOTS(SnapshotRequest) r = CONTAINERD__SERVICES__SNAPSHOTS__V1__SNAPSHOT_REQUEST__INIT;
	if (umount2(m->root, MNT_DETACH) != 0 && rmdir(m->root) != 0)
		return; /* it was never mounted */
	rmdir(m->root);
	r.snapshotter = snapshotter;
	r.key = view_key(m);
	if (m->w->n->cri)
		cri_call(m->w->n->cri, SNAPSHOTS_PATH "Remove", &r.base,
		        &containerd__services__snapshots__v1__snapshot_empty__descriptor, CALL_MS, view_removed, NULL);
}

static void image_drop(struct wasm *w, const char *id)
{
	struct module_image *m = map_del(&w->images, slice_of(id));
	CHECK(m && !m->users && list_empty(&m->waiting));
	arena_release(&m->arena);
	free(m->id);
	free(m);
}

/* One that nobody has used for a while, or NULL; *more: others may become so. */
static struct module_image *idle_image(struct wasm *w, uint64_t now, bool *more)
{
	*more = false;
	MAP_FOREACH (it, &w->images) {
		struct module_image *m = it->value;
		if (!m->users && now - m->idle_since_ms >= IDLE_MS)
			return m;
		*more |= !m->users;
	}
	return NULL;
}

static void drop_idle(uv_timer_t *t)
{
	struct wasm *w = t->data;
	uint64_t now = loop_now_ms(w->n->loop);
	bool more = true;
	for (struct module_image *m; w->n->cri && (m = idle_image(w, now, &more));) {
		remove_view(m);
		image_drop(w, m->id);
	}
	if (more)
		uv_timer_start(t, drop_idle, IDLE_MS, 0);
}

void module_image_leave(struct module_image *m)
{
	LOOP_CHECK_OWNER(m->w->n->loop);
	CHECK(m->users);
	if (--m->users || m->is_asking)
		return;
	m->idle_since_ms = loop_now_ms(m->w->n->loop);
	if (!m->w->n->closing && !uv_is_active((uv_handle_t *)&m->w->idle_timer))
		uv_timer_start(&m->w->idle_timer, drop_idle, IDLE_MS, 0);
}

void module_images_free(struct wasm *w)
{
	while (w->images.count)
		MAP_FOREACH (it, &w->images) {
			image_drop(w, ((struct module_image *)it->value)->id);
			break;
		}
	map_release(&w->images);
}
