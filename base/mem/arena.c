/* See arena.h. Chunks double in size up to CHUNK_MAX, so a request of any size needs few of them; a piece larger than
 * that gets a chunk of its own, put behind the current one so that the current one stays in use. */
#include "base/mem/arena.h"

#include "base/check.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_FIRST = 4096 - 32, CHUNK_MAX = 256 * 1024, ALIGN = 16 };

struct arena_chunk {
	struct arena_chunk *next;
	size_t size;
	size_t used;
	_Alignas(16) char data[];
};

/* Chunks of the sizes that arenas grow through, a list for each. */
enum { SIZES = 8 };
static _Thread_local struct {
	size_t bytes_max, bytes;
	struct arena_chunk *of[SIZES];
} kept;

struct arena_cleanup {
	struct arena_cleanup *next;
	void (*fn)(void *arg);
	void *arg;
};

void *xmalloc(size_t size)
{
	void *p = malloc(size ? size : 1);
	CHECK(p != NULL);
	return p;
}

void *xcalloc(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size ? size : 1);
	CHECK(p != NULL);
	return p;
}

void *xrealloc(void *p, size_t size)
{
	p = realloc(p, size ? size : 1);
	CHECK(p != NULL);
	return p;
}

char *xmemdup(const void *data, size_t len)
{
	char *p = xmalloc(len + 1);
	if (len)
		memcpy(p, data, len);
	p[len] = 0;
	return p;
}

char *xstrdup(const char *text)
{
	return xmemdup(text, strlen(text));
}

char *xprintf(const char *fmt, ...)
{
	va_list ap;
	char *p = NULL;
	va_start(ap, fmt);
	int n = vasprintf(&p, fmt, ap);
	va_end(ap);
	CHECK(n >= 0);
	return p;
}

void cleanup_free(void *pp)
{
	free(*(void **)pp);
}

void arena_init(struct arena *a)
{
	*a = ARENA_INIT;
}

/* Of a size that arenas do not grow through: SIZES. */
static unsigned size_class(size_t size)
{
	for (unsigned i = 0; i < SIZES - 1; i++)
		if (size == (size_t)CHUNK_FIRST << i)
			return i;
	return size == CHUNK_MAX ? SIZES - 1 : SIZES;
}

static void chunk_free(struct arena_chunk *c)
{
	unsigned i = kept.bytes_max ? size_class(c->size) : SIZES;
	if (i == SIZES || kept.bytes + c->size > kept.bytes_max) {
		free(c);
		return;
	}
	c->next = kept.of[i];
	kept.of[i] = c;
	kept.bytes += c->size;
}

static struct arena_chunk *chunk_new(size_t size)
{
	unsigned i = kept.bytes ? size_class(size) : SIZES;
	struct arena_chunk *c = i < SIZES ? kept.of[i] : NULL;
	if (c) {
		kept.of[i] = c->next;
		kept.bytes -= size;
	} else {
		c = xmalloc(sizeof *c + size);
	}
	c->next = NULL;
	c->size = size;
	c->used = 0;
	return c;
}

void arena_drop_kept(void)
{
	for (unsigned i = 0; i < SIZES; i++)
		while (kept.of[i]) {
			struct arena_chunk *c = kept.of[i];
			kept.of[i] = c->next;
			free(c);
		}
	kept.bytes = 0;
}

void arena_keep(size_t bytes)
{
#ifndef K3X_DEBUG
	kept.bytes_max = bytes;
#endif
	if (!bytes)
		arena_drop_kept();
}

void arena_release(struct arena *a)
{
	for (struct arena_cleanup *c = a->cleanups; c; c = c->next)
		c->fn(c->arg);
	for (struct arena_chunk *next, *c = a->chunk; c; c = next) {
		next = c->next;
		chunk_free(c);
	}
	*a = ARENA_INIT;
}

void arena_reset(struct arena *a)
{
	struct arena_chunk *keep = NULL;
	for (struct arena_cleanup *c = a->cleanups; c; c = c->next)
		c->fn(c->arg);
	for (struct arena_chunk *next, *c = a->chunk; c; c = next) {
		next = c->next;
		if (!keep && c->size == CHUNK_FIRST)
			keep = c;
		else
			chunk_free(c);
	}
	if (keep) {
		keep->next = NULL;
		keep->used = 0;
	}
	*a = (struct arena){.chunk = keep};
}

static void *alloc_slow(struct arena *a, size_t size)
{
	size_t want = a->chunk ? a->chunk->size * 2 : CHUNK_FIRST;
	if (want > CHUNK_MAX)
		want = CHUNK_MAX;
	if (size > want / 2 && a->chunk) { /* big piece: its own chunk, behind the current one */
		struct arena_chunk *c = chunk_new(size);
		c->used = size;
		c->next = a->chunk->next;
		a->chunk->next = c;
		return c->data;
	}
	struct arena_chunk *c = chunk_new(size > want ? size : want);
	c->used = size;
	c->next = a->chunk;
	a->chunk = c;
	return c->data;
}

void *arena_alloc(struct arena *a, size_t size)
{
	CHECK(size <= SIZE_MAX / 2);
	size = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	a->used_bytes += size;
	struct arena_chunk *c = a->chunk;
	if (c && c->size - c->used >= size) {
		void *p = c->data + c->used;
		c->used += size;
		return p;
	}
	return alloc_slow(a, size);
}

void *arena_zalloc(struct arena *a, size_t size)
{
	return memset(arena_alloc(a, size), 0, size);
}

char *arena_memdup(struct arena *a, const void *data, size_t len)
{
	char *p = arena_alloc(a, len + 1);
	if (len)
		memcpy(p, data, len);
	p[len] = 0;
	return p;
}

char *arena_strdup(struct arena *a, const char *text)
{
	return arena_memdup(a, text, strlen(text));
}

/* Written at once where the next piece will lie; only what has no room there is written again. */
char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	struct arena_chunk *c = a->chunk;
	size_t room = c ? (c->size - c->used) / ALIGN * ALIGN : 0;
	va_start(ap, fmt);
	int n = vsnprintf(room ? c->data + c->used : NULL, room, fmt, ap);
	va_end(ap);
	CHECK(n >= 0);
	char *p = arena_alloc(a, (size_t)n + 1);
	if ((size_t)n < room)
		return p;
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return p;
}

void arena_on_release(struct arena *a, void (*fn)(void *arg), void *arg)
{
	struct arena_cleanup *c = arena_alloc(a, sizeof *c);
	*c = (struct arena_cleanup){a->cleanups, fn, arg};
	a->cleanups = c;
}
