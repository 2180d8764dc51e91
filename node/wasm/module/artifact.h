/* An OCI artifact that holds a WebAssembly module: its manifest. Pure; any thread. */
#ifndef K3X_NODE_WASM_MODULE_ARTIFACT_H
#define K3X_NODE_WASM_MODULE_ARTIFACT_H

#include "base/err.h"
#include "base/mem/arena.h"
#include "base/mem/str.h"

struct wasm_artifact {
	const char *hex;  /* sha256 of the module */
	const char *name; /* what it calls itself: "/module.wasm" when it does not say */
};

/* The one layer that is a module: application/wasm, application/vnd.wasm.content.layer.v1+wasm. ERR_UNIMPLEMENTED:
 * there is none, or there are several, or it is a component by its media type; ERR_INVAL: it is no manifest. */
int wasm_artifact_read(struct arena *a, struct slice manifest, struct wasm_artifact *ret, struct err *err);

#endif
