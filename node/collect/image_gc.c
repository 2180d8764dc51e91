/* See image_gc.h. A round, every five minutes, and when eviction asks for one:
 *
 *     IDLE --> LISTING (pins, images, containers, where images lie) --> MEASURING (that disk, on the pool)
 *                  --> REMOVING, one after the other --> IDLE
 *
 * What goes: unused images until the disk is used to the low mark, when it was above the high one; and those that
 * nobody has used for the longest age, when there is one. Two rounds a few seconds after the start tell what was there
 * before us from what comes new.
 *
 * containerd before 1.7 does not say over the CRI what is pinned; its own service does.
 *
 * What can go wrong: the runtime does not answer (the round is given up, the next asks again); an image cannot be
 * removed, for a container of it was just made (it is told in the log, and counts as not freed); too little could be
 * freed (the event FreeDiskSpaceFailed, as upstream has it). */
#include "node/collect/image_gc.h"

#include "base/check.h"
#include "base/log.h"
#include "base/rt/sm.h"
#include "node/collect/image_ledger_int.h"
#include "node/config/kubelet_config.h"
#include "node/events/events.h"
#include "node/ground/errand.h"
#include "node/ground/node_record.h"
#include "node/runtime/cri.h"
#include "node/runtime/proto/images.pb-c.h"

#include <stdlib.h>
#include <sys/statvfs.h>

enum { FIRST_LOOK_MS = 5000, LOOK_MS = 300000, CALL_MS = 60000 };

enum state { GC_IDLE, GC_LISTING, GC_MEASURING, GC_REMOVING };

static const struct sm_state states[] = {
        [GC_IDLE] = {"idle", SM_TO(GC_LISTING)},
        [GC_LISTING] = {"listing", SM_TO(GC_MEASURING) | SM_TO(GC_IDLE)},
        [GC_MEASURING] = {"measuring", SM_TO(GC_REMOVING) | SM_TO(GC_IDLE)},
        [GC_REMOVING] = {"removing", SM_TO(GC_IDLE)},
};
static const struct sm_kind machine = SM_KIND("image-gc", states, NULL);

struct image_gc {
	struct node *n;
	void (*removed)(struct node *n);
	uv_timer_t timer;
	struct sm sm; /* enum state */
	bool closed;
	unsigned high_percent, low_percent;
	uint64_t min_age_ms, max_age_ms; /* max 0: none */
	struct image_ledger ledger;
	/* who asked for all of them; NULL: nobody */
	void (*done)(void *arg);
	void *done_arg;
	/* of the round */
	struct arena arena;
	struct errand errand;
	bool for_all;      /* it is the one that was asked for */
	const char **pins; /* names of images that were pinned, by us or by hand */
	size_t pins_count;
	char mountpoint[4096];
	uint64_t capacity, available;
	struct image_choice choice;
	size_t next;
	uint64_t wanted, freed;
};

static void look(struct image_gc *g);

static void free_it(struct image_gc *g)
{
	arena_release(&g->arena);
	image_ledger_release(&g->ledger);
	free(g);
}

static void round_end(struct image_gc *g)
{
	void (*done)(void *) = g->for_all ? g->done : NULL;
	void *arg = g->done_arg;
	sm_move(&g->sm, GC_IDLE);
	g->choice = (struct image_choice){NULL, 0, 0};
	arena_reset(&g->arena);
	if (g->for_all || g->closed || g->n->closing) {
		done = g->done;
		g->done = NULL;
	}
	bool closed = g->closed;
	if (done)
		done(arg);
	if (closed)
		free_it(g);
	else if (g->done && !g->n->closing && sm_state(&g->sm) == GC_IDLE) /* done() may have begun one */
		look(g);
}

static bool is_over(struct image_gc *g)
{
	LOOP_CHECK_OWNER(g->n->loop);
	if (!g->closed && !g->n->closing)
		return false;
	round_end(g);
	return true;
}

/* ---- removing ---- */

static void tell(struct image_gc *g)
{
	struct node *n = g->n;
	if (g->next)
		g->removed(n);
	if (g->wanted && !g->for_all && g->freed < g->wanted)
		node_event(n, true, "FreeDiskSpaceFailed",
		        "Failed to garbage collect required amount of images. Attempted to free %llu bytes, but only "
		        "found %llu bytes eligible to free.",
		        (unsigned long long)g->wanted, (unsigned long long)g->freed);
}

static void remove_next(struct image_gc *g);

static void image_removed(void *arg, const void *answer, const struct err *err)
{
	struct image_gc *g = arg;
	if (is_over(g))
		return;
	const struct ledger_image *i = g->choice.list[g->next++];
	if (err) {
		log_warn("node", "cannot remove an image", "image=%.*s error=\"%s\"", SLICE_FMT(i->id), err->msg);
	} else {
		log_info("node", "an unused image is removed", "image=%.*s bytes=%llu", SLICE_FMT(i->id),
		        (unsigned long long)i->bytes);
		g->freed += i->bytes;
	}
	remove_next(g);
}

static void remove_next(struct image_gc *g)
{
	if (g->next == g->choice.count) {
		tell(g);
		round_end(g);
		return;
	}
	CRI(ImageRequest) q = RUNTIME__V1__IMAGE_REQUEST__INIT;
	CRI(ImageSpec) spec = RUNTIME__V1__IMAGE_SPEC__INIT;
	spec.image = (char *)g->choice.list[g->next]->id.ptr; /* terminated: map_entry_new() */
	q.image = &spec;
	cri_call(g->n->cri, "ImageService/RemoveImage", &q.base, &runtime__v1__empty__descriptor, CALL_MS,
	        image_removed, g);
}

static void choose(struct image_gc *g)
{
	uint64_t now = loop_now_ms(g->n->loop);
	g->wanted = g->for_all ? UINT64_MAX
	                       : image_bytes_to_free(g->capacity, g->available, g->high_percent, g->low_percent);
	g->next = 0;
	g->freed = 0;
	g->choice = image_ledger_choose(&g->ledger, &g->arena, g->wanted, g->min_age_ms, now);
	if (!g->wanted && g->max_age_ms)
		g->choice = image_ledger_stale(&g->ledger, &g->arena, g->min_age_ms, g->max_age_ms, now);
	if (g->wanted && !g->for_all)
		log_info("node", "the disk of images is above its high mark",
		        "capacity=%llu available=%llu to_free=%llu", (unsigned long long)g->capacity,
		        (unsigned long long)g->available, (unsigned long long)g->wanted);
	sm_move(&g->sm, GC_REMOVING);
	remove_next(g);
}

/* ---- looking ---- */

static void measure_on_pool(struct errand *e)
{
	struct image_gc *g = CONTAINER_OF(e, struct image_gc, errand);
	struct statvfs fs;
	g->capacity = g->available = 0;
	if (!*g->mountpoint || statvfs(g->mountpoint, &fs) != 0)
		return;
	g->capacity = (uint64_t)fs.f_blocks * fs.f_frsize;
	g->available = (uint64_t)fs.f_bavail * fs.f_frsize;
}

static void measured(struct errand *e)
{
	struct image_gc *g = CONTAINER_OF(e, struct image_gc, errand);
	if (!is_over(g))
		choose(g);
}

static void disk_told(void *arg, const void *answer, const struct err *err)
{
	struct image_gc *g = arg;
	const CRI(ImageFsInfoResponse) *info = answer;
	const CRI(FilesystemUsage) *fs = info && info->n_image_filesystems ? info->image_filesystems[0] : NULL;
	if (is_over(g))
		return;
	snprintf(g->mountpoint, sizeof g->mountpoint, "%s", fs && fs->fs_id ? fs->fs_id->mountpoint : "");
	sm_move(&g->sm, GC_MEASURING);
	if (!errand_start(g->n, &g->errand, measure_on_pool, measured))
		round_end(g);
}

static void containers_told(void *arg, const void *answer, const struct err *err)
{
	struct image_gc *g = arg;
	const CRI(ListContainersResponse) *list = answer;
	CRI(Empty) nothing = RUNTIME__V1__EMPTY__INIT;
	if (is_over(g))
		return;
	if (err) { /* nobody says what is in use */
		round_end(g);
		return;
	}
	uint64_t now = loop_now_ms(g->n->loop);
	for (size_t i = 0; i < list->n_containers; i++) {
		const CRI(Container) *c = list->containers[i];
		image_ledger_use(&g->ledger, slice_of(c->image_ref), now);
		if (c->image)
			image_ledger_use(&g->ledger, slice_of(c->image->image), now);
	}
	image_ledger_end(&g->ledger);
	cri_call(g->n->cri, "ImageService/ImageFsInfo", &nothing.base, &runtime__v1__image_fs_info_response__descriptor,
	        CALL_MS, disk_told, g);
}

static bool is_pinned(const struct image_gc *g, const CRI(Image) * image)
{
	for (size_t i = 0; i < image->n_repo_tags; i++)
		for (size_t k = 0; k < g->pins_count; k++)
			if (strcmp(image->repo_tags[i], g->pins[k]) == 0)
				return true;
	return image->pinned;
}

static void images_told(void *arg, const void *answer, const struct err *err)
{
	struct image_gc *g = arg;
	const CRI(ListImagesResponse) *list = answer;
	CRI(ListContainersRequest) q = RUNTIME__V1__LIST_CONTAINERS_REQUEST__INIT;
	if (is_over(g))
		return;
	if (err) {
		round_end(g);
		return;
	}
	uint64_t now = loop_now_ms(g->n->loop);
	image_ledger_begin(&g->ledger, now);
	for (size_t i = 0; i < list->n_images; i++) {
		const CRI(Image) *im = list->images[i];
		image_ledger_see(&g->ledger, slice_of(im->id), im->size, is_pinned(g, im), now);
	}
	cri_call(g->n->cri, "RuntimeService/ListContainers", &q.base,
	        &runtime__v1__list_containers_response__descriptor, CALL_MS, containers_told, g);
}

/* Another runtime than containerd has no such service, and says itself what is pinned. */
static void pins_told(void *arg, const void *answer, const struct err *err)
{
	struct image_gc *g = arg;
	const Containerd__Services__Images__V1__ListImagesResponse *list = answer;
	CRI(ListImagesRequest) q = RUNTIME__V1__LIST_IMAGES_REQUEST__INIT;
	if (is_over(g))
		return;
	if (err && err->code != ERR_UNIMPLEMENTED) { /* what was imported could go */
		round_end(g);
		return;
	}
	g->pins = ARENA_ARRAY(&g->arena, const char *, (list ? list->n_images : 0) + 1);
	g->pins_count = 0;
	for (size_t i = 0; list && i < list->n_images; i++)
		g->pins[g->pins_count++] = arena_strdup(&g->arena, list->images[i]->name);
	cri_call(g->n->cri, "ImageService/ListImages", &q.base, &runtime__v1__list_images_response__descriptor, CALL_MS,
	        images_told, g);
}

static void look(struct image_gc *g)
{
	static char filter[] = "labels.\"io.cri-containerd.pinned\"==pinned";
	char *filters[] = {filter};
	CHECK(sm_state(&g->sm) == GC_IDLE && g->n->cri);
	Containerd__Services__Images__V1__ListImagesRequest q =
	        CONTAINERD__SERVICES__IMAGES__V1__LIST_IMAGES_REQUEST__INIT;
	q.filters = filters;
	q.n_filters = COUNT_OF(filters);
	g->for_all = g->done != NULL;
	sm_move(&g->sm, GC_LISTING);
	cri_call(g->n->cri, "/containerd.services.images.v1.Images/List", &q.base,
	        &containerd__services__images__v1__list_images_response__descriptor, CALL_MS, pins_told, g);
}

static void tick(uv_timer_t *t)
{
	struct image_gc *g = t->data;
	LOOP_CHECK_OWNER(g->n->loop);
	if (g->n->closing || sm_state(&g->sm) != GC_IDLE)
		return;
	/* not before what is imported is in: it would count as new, and as nobody's */
	if (!g->n->runtime_ready) {
		uv_timer_start(t, tick, FIRST_LOOK_MS, LOOK_MS);
		return;
	}
	look(g);
}

bool image_gc_remove_unused(struct image_gc *g, void (*done)(void *arg), void *arg)
{
	LOOP_CHECK_OWNER(g->n->loop);
	if (g->done || g->n->closing || !g->n->cri || !g->n->runtime_ready)
		return false;
	g->done = done;
	g->done_arg = arg;
	if (sm_state(&g->sm) == GC_IDLE)
		look(g);
	return true;
}

/* ---- life ---- */

struct image_gc *image_gc_new(struct node *n, void (*removed)(struct node *n))
{
	LOOP_CHECK_OWNER(n->loop);
	struct image_gc *g = xcalloc(1, sizeof *g);
	g->n = n;
	g->removed = removed;
	g->high_percent = (unsigned)kubelet_config_int(n->config, "imageGCHighThresholdPercent");
	g->low_percent = (unsigned)kubelet_config_int(n->config, "imageGCLowThresholdPercent");
	g->min_age_ms = (uint64_t)kubelet_config_ms(n->config, "imageMinimumGCAge");
	g->max_age_ms = (uint64_t)kubelet_config_ms(n->config, "imageMaximumGCAge");
	sm_init(&g->sm, &machine, GC_IDLE, n->o.node_name);
	uv_timer_init(loop_uv(n->loop), &g->timer);
	g->timer.data = g;
	uv_timer_start(&g->timer, tick, FIRST_LOOK_MS, LOOK_MS);
	return g;
}

static void timer_closed(uv_handle_t *h)
{
	struct image_gc *g = h->data;
	g->closed = true;
	if (sm_state(&g->sm) == GC_IDLE)
		free_it(g);
}

void image_gc_close(struct image_gc *g)
{
	LOOP_CHECK_OWNER(g->n->loop);
	g->n->image_gc = NULL;
	uv_close((uv_handle_t *)&g->timer, timer_closed);
}
