/* Is this file a WebAssembly module that we can run? Pure; any thread. */
#ifndef K3X_NODE_WASM_MODULE_MODULE_H
#define K3X_NODE_WASM_MODULE_MODULE_H

#include "base/err.h"
#include "base/mem/str.h"

#include <stdbool.h>

/* It begins as a module or a component does. */
bool wasm_module_is(struct slice bytes);

/* 0: a core module that exports _start and imports from nothing but WASI preview 1. ERR_UNIMPLEMENTED, with words for
 * the user: a component (preview 2), another version, an import that nobody here serves, no _start. ERR_INVAL: its
 * sections do not hold together. What lies inside of functions is the engine's to check. */
int wasm_module_check(struct slice bytes, struct err *err);

#endif
