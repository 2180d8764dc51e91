/* What the node and its zygote tell each other: one message per packet of their socket, in words. Pure; any thread. */
#ifndef K3X_NODE_WASM_PROTOCOL_FRAME_H
#define K3X_NODE_WASM_PROTOCOL_FRAME_H

#include "base/err.h"
#include "base/mem/str.h"

#include <stdint.h>

/* From the node: START (number: the limit of memory pages; text: the
 * box, and the log file; descriptors: cgroups, network, mounts: see spec.h), SIGNAL (number), REOPEN
 * (the log), COMPILE (id: the module's digest), BOX (a network namespace for a sandbox), UNBOX.
 * From the zygote, about the same id: STARTED (number: pid), BOXED (a descriptor comes along), COMPILED, FAILED (text:
 * why), and EXITED (the file `exit` of the container is written). HELLO (text: version of the engine) opens. */
#define WASM_VERBS(X) \
	X(START) \
	X(SIGNAL) X(REOPEN) X(COMPILE) X(BOX) X(UNBOX) X(HELLO) X(STARTED) X(BOXED) X(COMPILED) X(FAILED) X(EXITED)

enum wasm_verb {
#define X(name) WASM_##name,
	WASM_VERBS(X)
#undef X
	        WASM_VERBS_COUNT
};

enum { WASM_ID_BYTES_MAX = 80, WASM_TEXT_BYTES_MAX = 4096, WASM_FRAME_BYTES_MAX = WASM_TEXT_BYTES_MAX + 128 };

struct wasm_frame {
	enum wasm_verb verb;
	char id[WASM_ID_BYTES_MAX + 1];
	int64_t number;
	struct slice text; /* borrowed from the packet */
};

const char *wasm_verb_name(enum wasm_verb verb);
/* Ids become names of folders: letters, digits and '-' alone. */
bool wasm_id_is_good(struct slice id);
/* Appends the packet; a text that is too long is cut. */
void wasm_frame_write(struct strbuf *out, const struct wasm_frame *f);
/* ERR_PROTOCOL. */
int wasm_frame_read(struct slice packet, struct wasm_frame *f, struct err *err);

#endif
