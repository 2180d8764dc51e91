/* A bar of how far something has come, on a terminal's stderr; nothing elsewhere. One thread. See progress.c. */
#ifndef K3X_TOOLS_STORE_PROGRESS_H
#define K3X_TOOLS_STORE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct store_progress {
	const char *what; /* before the bar; "": nothing */
	bool is_forced;   /* elsewhere too */
	int64_t drawn_ms; /* 0: not yet */
	bool is_begun;
};

/* Bytes. Drawn now and then, and when it is all. */
void store_progress(struct store_progress *p, int64_t have, int64_t all);
/* The next line; nothing when nothing was drawn. Another bar may begin. */
void store_progress_end(struct store_progress *p);

#endif
