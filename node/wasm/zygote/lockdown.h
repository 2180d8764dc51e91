/* What a process that runs somebody's module may still do. Only for processes that the zygote forked. */
#ifndef K3X_NODE_WASM_ZYGOTE_LOCKDOWN_H
#define K3X_NODE_WASM_ZYGOTE_LOCKDOWN_H

#include "base/err.h"
#include "node/wasm/protocol/spec.h"

/* Becomes the user, without capabilities or a way to get any, and gives up every system call but those that WASI and
 * the engine need. It cannot be undone. ERR_IO. */
int wasm_lock_down(const struct wasm_spec *spec, struct err *err);

#endif
