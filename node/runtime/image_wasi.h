/* Images that are built for the platform of WebAssembly alone (wasi/wasm): an index none of whose manifests is for the
 * node's own. The runtime takes such an index for an image without content; so it is brought by ctr, which can be told
 * a platform, and its name is then given to the one manifest that is meant. Loop's thread. */
#ifndef K3X_NODE_RUNTIME_IMAGE_WASI_H
#define K3X_NODE_RUNTIME_IMAGE_WASI_H

#include "base/err.h"
#include "base/json/json.h"

#include <stdint.h>

struct node;
struct image_wasi;

/* What containerd and ctr say of an image without the platform that was asked for. */
#define IMAGE_HAS_NO_PLATFORM "no match for platform"
/* As ctr takes them; the first that an image has is taken. NULL ends the list. */
extern const char *const image_wasi_platforms[];

/* Brings `image` (a whole name, with its tag), or with is_here only gives its name to the manifest. done() comes once,
 * not inside of this, when the runtime knows it. */
struct image_wasi *image_wasi_begin(
        struct node *n, const char *image, bool is_here, void (*done)(void *arg, const struct err *err), void *arg);
/* done() is not called. */
void image_wasi_forget(struct image_wasi *w);

struct wasi_manifest {
	const char *media_type, *digest;
	int64_t size;
};
/* Of an index, in the arena. ERR_INVAL: it is none. ERR_NOT_FOUND: nothing of it is for WebAssembly. Pure. */
int image_wasi_manifest(struct arena *a, struct slice index, struct wasi_manifest *ret, struct err *err);

#endif
