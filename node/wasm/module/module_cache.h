/* Modules on the disk, by their digest and the engine's version, shared read-only by all pods:
 *
 *     BASE.wasm   the module
 *     BASE.so     what it was compiled to; BASE.sum, written before it, is its SHA-256
 *     BASE.plain  why it is interpreted
 *     BASE.image  the image that had it last; its time is when
 *
 * Each is written beside and renamed, so that a half of it has another name; what a crash of the machine or a bad disk
 * made of it shows by the sums. Blocks for files; any thread. */
#ifndef K3X_NODE_WASM_MODULE_MODULE_CACHE_H
#define K3X_NODE_WASM_MODULE_MODULE_CACHE_H

#include "base/err.h"
#include "base/mem/arena.h"
#include "base/mem/str.h"

#include <stdbool.h>
#include <stdint.h>

/* Has the module there, whole, with its image noted; a library that is not whole is removed. *needs_compiler: neither a
 * library nor the reason against one is there. ERR_IO. */
int module_cache_keep(const char *base, struct slice module, const char *image, bool *needs_compiler, struct err *err);
/* Takes a library that was just made into the cache. ERR_IO. */
int module_cache_take(const char *base, const char *library, struct err *err);

/* What the cache holds of one module. */
struct cached_module {
	const char *name; /* BASE without its folder; a file that is none of the above goes by its own name */
	const char *image;
	int64_t used_s; /* CLOCK_REALTIME */
	uint64_t bytes;
	bool is_module, is_in_use, goes;
};

/* Marks those that go: of images that are no more (`has_image`; not asked when NULL), left-overs, and the longest
 * unused beyond bytes_max. What was used a little while ago stays in any case. Pure; sorts the list. */
void module_cache_choose(struct cached_module *list, size_t count, bool (*has_image)(void *arg, const char *image),
        void *arg, uint64_t bytes_max, int64_t now_s);
struct cached_module *module_cache_list(struct arena *a, const char *folder, size_t *count);
void module_cache_remove(const char *folder, const struct cached_module *m);

#endif
