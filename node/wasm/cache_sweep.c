/* Keeps the cache of modules small: what no image of the runtime has any more goes, and beyond a bound what was unused
 * longest.
 *
 *     the runtime is there, images were removed, a module was compiled --> ListImages --> list, choose, remove (pool)
 *
 * What containers and images in use name stays. One round at a time; what asks meanwhile makes it begin again. What can
 * go wrong: the images cannot be listed, and then the bound alone holds; the next round is another try. */
#include "node/wasm/wasm_int.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "node/ground/node_record.h"
#include "node/wasm/module/module_cache.h"

#include <stdlib.h>

enum { LIST_MS = 30000 };

struct sweep {
	struct errand errand;
	struct wasm *w;
	struct arena arena;
	const char *folder;
	struct map images, in_use; /* keys in the arena */
	bool knows_images;
	unsigned removed;
};

static void sweep_free(struct sweep *s)
{
	map_release(&s->images);
	map_release(&s->in_use);
	arena_release(&s->arena);
	free(s);
}

static bool has_image(void *arg, const char *image)
{
	return map_get(&((struct sweep *)arg)->images, slice_of(image));
}

static void work(struct errand *e)
{
	struct sweep *s = CONTAINER_OF(e, struct sweep, errand);
	size_t count;
	struct cached_module *list = module_cache_list(&s->arena, s->folder, &count);
	for (size_t i = 0; i < count; i++)
		list[i].is_in_use = map_get(&s->in_use, slice_of(list[i].name));
	module_cache_choose(
	        list, count, s->knows_images ? has_image : NULL, s, WASM_CACHE_BYTES_MAX, wasm_now_ns() / 1000000000);
	for (size_t i = 0; i < count; i++)
		if (list[i].goes) {
			module_cache_remove(s->folder, &list[i]);
			s->removed++;
		}
}

static void worked(struct errand *e)
{
	struct sweep *s = CONTAINER_OF(e, struct sweep, errand);
	struct wasm *w = s->w;
	bool again = w->sweeps_again;
	if (s->removed)
		log_info("node", "unused WebAssembly modules are removed", "count=%u", s->removed);
	sweep_free(s);
	w->sweeps = w->sweeps_again = false;
	if (again)
		wasm_sweep(w);
}

static void add(struct sweep *s, struct map *set, const char *name)
{
	if (name && !map_get(set, slice_of(name)))
		map_put(set, slice_of(arena_strdup(&s->arena, name)), s);
}

static void have_images(void *arg, const void *answer, const struct err *err)
{
	struct sweep *s = arg;
	struct wasm *w = s->w;
	const CRI(ListImagesResponse) *r = answer;
	for (size_t i = 0; r && i < r->n_images; i++)
		add(s, &s->images, r->images[i]->id);
	s->knows_images = !err;
	MAP_FOREACH (it, &w->containers)
		add(s, &s->in_use, ((struct wasm_container *)it->value)->module);
	MAP_FOREACH (it, &w->images)
		add(s, &s->in_use, ((struct module_image *)it->value)->known_module);
	if (!w->n->closing && errand_start(w->n, &s->errand, work, worked))
		return;
	w->sweeps = w->sweeps_again = false;
	sweep_free(s);
}

void wasm_sweep(struct wasm *w)
{
	LOOP_CHECK_OWNER(w->n->loop);
	CRI(ListImagesRequest) r = RUNTIME__V1__LIST_IMAGES_REQUEST__INIT;
	if (w->sweeps || !w->n->cri || w->n->closing) {
		w->sweeps_again = w->sweeps;
		return;
	}
	struct sweep *s = xcalloc(1, sizeof *s);
	s->w = w;
	s->folder = arena_printf(&s->arena, "%s/cache", w->state);
	w->sweeps = true;
	cri_call(w->n->cri, "ImageService/ListImages", &r.base, &runtime__v1__list_images_response__descriptor, LIST_MS,
	        have_images, s);
}

void wasm_images_removed(struct wasm *w)
{
	wasm_sweep(w);
}
