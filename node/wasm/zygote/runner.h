/* The process of one container. Only for processes that the zygote forked. */
#ifndef K3X_NODE_WASM_ZYGOTE_RUNNER_H
#define K3X_NODE_WASM_ZYGOTE_RUNNER_H

#include "node/wasm/zygote/engine.h"

struct wasm_start {
	const char *spec_file, *box; /* an empty folder to build the root in */
	const int *descriptors;      /* as spec.h says; numbers above 2 */
	size_t descriptors_count;
	int out, error; /* the container's stdout and stderr */
	int told;       /* the zygote's end: why it could not start; closed when it runs */
};

/* Never returns. */
__attribute__((noreturn)) void wasm_runner(struct wasm_engine *engine, const struct wasm_start *start);

#endif
