/* The node's connection to its zygote, which it starts when there is none. Loop's thread. */
#ifndef K3X_NODE_WASM_LINK_H
#define K3X_NODE_WASM_LINK_H

#include "base/err.h"
#include "base/rt/loop.h"
#include "node/wasm/protocol/frame.h"

struct wasm_link;

struct wasm_link_options {
	struct loop *loop;
	const char *state, *logs; /* folders: see zygote.h */
	const char *root;         /* a folder with the engine and its libraries; NULL: the machine's */
	/* It answers. is_new: we started it, so what an earlier one held is gone. version: the engine's. */
	void (*on_up)(void *arg, bool is_new, struct slice version);
	void (*on_down)(void *arg);
	/* fd: one that came along, or -1; it is the callee's. */
	void (*on_frame)(void *arg, const struct wasm_frame *f, int fd);
	void *arg;
};

/* Strings are borrowed. */
struct wasm_link *wasm_link_new(const struct wasm_link_options *o);
bool wasm_link_is_up(const struct wasm_link *l);
/* Why it is not up: what a pod that cannot run is told. */
const char *wasm_link_trouble(const struct wasm_link *l);
/* Nothing happens while it is down: on_down() came, or on_up() is still to come. The descriptors stay the caller's. */
void wasm_link_send(struct wasm_link *l, enum wasm_verb verb, const char *id, int64_t number, struct slice text,
        const int *fds, size_t count);
/* The zygote goes on. */
void wasm_link_close(struct wasm_link *l, void (*closed)(void *arg), void *arg);

#endif
