/* What a WebAssembly container leaves in its folder, STATE/containers/ID: who it is while it runs, how it ended.
 * Written by the zygote, read by the node, also by the next zygote and the next node. Blocks for small files; any
 * thread. */
#ifndef K3X_NODE_WASM_PROTOCOL_TRACES_H
#define K3X_NODE_WASM_PROTOCOL_TRACES_H

#include "base/err.h"
#include "base/mem/arena.h"
#include "base/mem/str.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* `pid`: its process. */
struct wasm_process {
	pid_t pid;
	uint64_t born_ticks; /* /proc/PID/stat: numbers of processes come again, these with them do not */
	int64_t started_ns;
	const char *box, *log_path;
};

/* `exit`: how it ended. */
struct wasm_exit {
	int code; /* 128 + signal when it was ended by one */
	int64_t finished_ns;
	const char *message; /* "": none */
};
#define WASM_EXIT_UNKNOWN "its exit code is unknown: it ended while its zygote was away"
enum { WASM_EXIT_CODE_UNKNOWN = 137 };

const char *wasm_container_path(struct arena *a, const char *state, const char *id, const char *file);
int64_t wasm_now_ns(void);
/* 0: there is no such process. */
uint64_t wasm_born_ticks(pid_t pid);
bool wasm_is_alive(const struct wasm_process *p);

/* Writing is by rename: nobody reads a half; it is not synced, for after a crash of the machine nothing of it runs.
 * Reading gives ERR_NOT_FOUND, or ERR_CORRUPT. */
int wasm_process_write(const char *state, const char *id, const struct wasm_process *p, struct err *err);
int wasm_process_read(struct arena *a, const char *state, const char *id, struct wasm_process *p, struct err *err);
int wasm_exit_write(const char *state, const char *id, const struct wasm_exit *x, struct err *err);
int wasm_exit_read(struct arena *a, const char *state, const char *id, struct wasm_exit *x, struct err *err);

#endif
