/* WasmEdge, found at run time: k3x does not need it to be there. Only the zygote and its children call this. */
#ifndef K3X_NODE_WASM_ZYGOTE_ENGINE_H
#define K3X_NODE_WASM_ZYGOTE_ENGINE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wasm_engine;

#define WASM_LIBRARY "libwasmedge.so.0"
#define WASM_PACKAGE_HINT \
	"install the package libwasmedge0 (Debian 13 has it), or name a folder that holds it with --wasm-root " \
	"(tools/install/wasm_root.sh makes one)"

/* Loads the library. ERR_NOT_FOUND, with the package to install; ERR_UNIMPLEMENTED: it lacks a function. */
int wasm_engine_open(struct wasm_engine **ret, struct err *err);
const char *wasm_engine_version(const struct wasm_engine *e);

/* Compiles a module into a shared library. Takes seconds and memory: for a process of its own. ERR_INVAL. */
int wasm_engine_compile(struct wasm_engine *e, const char *module, const char *library, struct err *err);

/* Makes what a run with this limit needs before anybody forks, so that children share it: with it a process has half a
 * megabyte less of its own. For the first few limits that are asked for; the rest are made by each run. */
void wasm_engine_prepare(struct wasm_engine *e, uint32_t memory_pages_max);

struct wasm_run {
	const char *module; /* a module, or the library made of it */
	const char *const *args, *const *env, *const *preopens;
	size_t args_count, env_count, preopens_count;
	uint32_t memory_pages_max;    /* of 64 KiB; 0: the engine's limit */
	void (*on_loaded)(void *arg); /* it is valid, and nothing of it has run; NULL: nobody asks */
	void *arg;
};

/* Runs _start to its end. Returns its exit code, or WASM_TRAPPED after a trap, or WASM_NOT_RUN when it did not get so
 * far; both with the reason in err. */
enum { WASM_TRAPPED = 134, WASM_NOT_RUN = 126 };
int wasm_engine_run(struct wasm_engine *e, const struct wasm_run *run, struct err *err);

#endif
