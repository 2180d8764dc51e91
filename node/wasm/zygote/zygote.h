/* The program that WebAssembly containers are forked from: `k3x wasm-zygote`. */
#ifndef K3X_NODE_WASM_ZYGOTE_ZYGOTE_H
#define K3X_NODE_WASM_ZYGOTE_ZYGOTE_H

#include "base/err.h"

struct wasm_zygote_options {
	const char *state; /* DATA/agent/wasm: the socket, cache/, containers/ */
	const char *logs;  /* DATA/agent/kubelet/logs */
};

/* Serves until nobody needs it: no node is connected, nothing runs. Returns an error of its start. */
int wasm_zygote_run(const struct wasm_zygote_options *options, struct err *err);

#endif
