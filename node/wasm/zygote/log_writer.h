/* A container's output, from its pipes to its log in the CRI's format. One thread. */
#ifndef K3X_NODE_WASM_ZYGOTE_LOG_WRITER_H
#define K3X_NODE_WASM_ZYGOTE_LOG_WRITER_H

#include "base/err.h"
#include "base/mem/str.h"

#include <stdbool.h>
#include <stdint.h>

struct log_writer {
	char *path;
	int fd;                   /* -1: could not be opened; what comes is dropped until it is reopened */
	struct strbuf partial[2]; /* of stdout and stderr: the line that has not ended */
};

/* Opens or makes the file. On an error the writer is there all the same and drops what comes. */
int log_writer_open(struct log_writer *w, const char *path, struct err *err);
/* The file was moved away: begins a new one. */
int log_writer_reopen(struct log_writer *w, struct err *err);
/* stream: 0 for stdout, 1 for stderr. now_ns: of the wall clock. */
void log_writer_add(struct log_writer *w, int stream, struct slice bytes, int64_t now_ns);
/* Writes lines that never ended, and closes. */
void log_writer_close(struct log_writer *w, int64_t now_ns);

#endif
