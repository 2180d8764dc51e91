/* WebAssembly pods: a second runtime behind the kubelet's calls. Loop's thread. */
#ifndef K3X_NODE_WASM_WASM_H
#define K3X_NODE_WASM_WASM_H

#include "base/err.h"

#include "base/mem/str.h"

#include <stdbool.h>

struct node;
struct wasm;

/* Pods are scheduled by this label: the RuntimeClass selects it. */
#define WASM_NODE_LABEL "k3x.io/wasm"

/* The annotation by which crun knows such pods, with "compat" or "compat-smart". */
#define WASM_VARIANT_ANNOTATION "module.wasm.image/variant"
/* By the handler of its runtime class, or by that annotation. Pure. */
bool wasm_is_asked_for(const char *handler, struct slice variant);

/* Whether what a container is to run is a module: in a pod of the class wasm, what is none runs as usual. UNKNOWN: it
 * could not be seen. */
enum wasm_verdict { WASM_IS_UNKNOWN, WASM_IS_MODULE, WASM_IS_ORDINARY };
/* The caller's; strings are borrowed until done(). */
struct wasm_look {
	const char *image;              /* what it is remembered by */
	const char *image_id;           /* the runtime's name of it; only wasm_look_begin() reads it */
	const char *command, *argument; /* the first of the container's; "": it has none */
	enum wasm_verdict verdict;
	void (*done)(struct wasm_look *look);
};
/* True: the verdict is set, for it was looked at not long ago. It may be old by then: see container.c. */
bool wasm_is_known(struct wasm *w, struct wasm_look *look);
/* The image is there. done() comes once, on the loop, not inside of this, with the verdict set. */
void wasm_look_begin(struct wasm *w, struct wasm_look *look);

/* Makes its folders. ERR_IO. */
int wasm_check(struct node *n, struct err *err);
/* After that, and after the view is there: reads what an earlier node left and begins to start the zygote. changed(n):
 * the node can run such pods now, or no more. */
struct wasm *wasm_new(struct node *n, void (*changed)(struct node *n));
/* The runtime's connection is there: takes its place beside it. */
void wasm_attach(struct wasm *w);
bool wasm_is_up(const struct wasm *w);
/* The runtime has fewer images: what was kept of their modules goes, too. */
void wasm_images_removed(struct wasm *w);
/* Ends its calls (ERR_CANCELED); containers go on. closed(arg) on the loop; wasm_free() comes when errands have ended.
 */
void wasm_close(struct wasm *w, void (*closed)(void *arg), void *arg);
void wasm_free(struct wasm *w);

#endif
