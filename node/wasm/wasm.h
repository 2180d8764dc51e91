/* WebAssembly pods: a second runtime behind the kubelet's calls. Loop's thread. */
#ifndef K3X_NODE_WASM_WASM_H
#define K3X_NODE_WASM_WASM_H

#include "base/err.h"

#include <stdbool.h>

struct node;
struct wasm;

/* Pods are scheduled by this label: the RuntimeClass selects it. */
#define WASM_NODE_LABEL "k3x.io/wasm"

/* Makes its folders. ERR_IO. */
int wasm_check(struct node *n, struct err *err);
/* After that, and after the view is there: reads what an earlier node left and begins to start the zygote. changed(n):
 * the node can run such pods now, or no more. */
struct wasm *wasm_new(struct node *n, void (*changed)(struct node *n));
/* The runtime's connection is there: takes its place beside it. */
void wasm_attach(struct wasm *w);
bool wasm_is_up(const struct wasm *w);
/* Ends its calls (ERR_CANCELED); containers go on. closed(arg) on the loop; wasm_free() comes when errands have ended.
 */
void wasm_close(struct wasm *w, void (*closed)(void *arg), void *arg);
void wasm_free(struct wasm *w);

#endif
