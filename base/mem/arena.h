/* Arenas: memory that lives as long as one request and is freed at once.
 *
 * Allocation bumps a pointer inside a chunk; nothing is freed singly. Clean-up functions registered with an arena run,
 * newest first, when it is released, so descriptors and rcbufs can hang on it. One thread at a time. */
#ifndef K3X_BASE_MEM_ARENA_H
#define K3X_BASE_MEM_ARENA_H

#include <stddef.h>

struct arena_chunk;
struct arena_cleanup;
struct budget;

struct arena {
	struct arena_chunk *chunk; /* newest first */
	struct arena_cleanup *cleanups;
	size_t used_bytes;     /* handed out since init, for limits and metrics */
	struct budget *budget; /* see budget.h; NULL: none. Set by the owner, forgotten on release and reset */
};

#define ARENA_INIT ((struct arena){0})

void arena_init(struct arena *a);

/* Runs the clean-ups and frees everything. The arena is then as after arena_init(). */
void arena_release(struct arena *a);

/* arena_release(), but one chunk of the first size is kept for the next use. */
void arena_reset(struct arena *a);

/* What this thread's arenas give back is kept for its next ones, at most `bytes` of it; 0: nothing, and what was kept
 * is freed, before the thread ends at the latest. For threads that serve one request after the other: malloc would give
 * the pages back to the system and fetch them again each time. Does nothing in builds for sanitizers. */
void arena_keep(size_t bytes);
/* Frees what is kept now: nobody asks for anything. */
void arena_drop_kept(void);

/* 16-byte aligned; never NULL: the process stops when memory is out, so sizes that come from outside are checked
 * against a limit (base/limits.h) first. arena_zalloc() zeroes. */
void *arena_alloc(struct arena *a, size_t size);
void *arena_zalloc(struct arena *a, size_t size);

/* Copies with a terminating zero byte after the text. */
char *arena_memdup(struct arena *a, const void *data, size_t len);
char *arena_strdup(struct arena *a, const char *text);
__attribute__((format(printf, 2, 3))) char *arena_printf(struct arena *a, const char *fmt, ...);

/* Calls fn(arg) on release. */
void arena_on_release(struct arena *a, void (*fn)(void *arg), void *arg);

#define ARENA_NEW(a, type) ((type *)arena_zalloc((a), sizeof(type)))
#define ARENA_ARRAY(a, type, n) ((type *)arena_zalloc((a), sizeof(type) * (n)))

/* malloc family that stops the process instead of returning NULL: for book-keeping whose size we choose ourselves. */
void *xmalloc(size_t size);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *text);
char *xmemdup(const void *data, size_t len); /* with a zero byte after it */
__attribute__((format(printf, 1, 2))) char *xprintf(const char *fmt, ...);

/* For synchronous functions only: `CLEANUP(cleanup_free) char *p = ...`, and TAKE(p) to pass it on. */
#define CLEANUP(fn) __attribute__((cleanup(fn)))
#define TAKE(ptr) \
	({ \
		__typeof__(ptr) take_ = (ptr); \
		(ptr) = NULL; \
		take_; \
	})
void cleanup_free(void *pp); /* pp: address of a pointer from malloc */

#endif
