/* Immutable bytes shared by many owners: object texts, log entries, encoded events.
 *
 * Made with one reference, filled by its maker before it is shared, never changed after. References may be taken and
 * dropped on any thread; the last one frees. */
#ifndef K3X_BASE_MEM_RCBUF_H
#define K3X_BASE_MEM_RCBUF_H

#include <stdatomic.h>
#include <stddef.h>

struct arena;

struct rcbuf {
	atomic_uint refs;
	unsigned len;
	char data[]; /* len bytes and a zero byte */
};

/* Both return one reference. At most 1 GiB: more is a broken invariant, limits come first. */
struct rcbuf *rcbuf_new(size_t len);
struct rcbuf *rcbuf_copy(const void *data, size_t len);

struct rcbuf *rcbuf_ref(struct rcbuf *b);
void rcbuf_unref(struct rcbuf *b); /* NULL is allowed */

/* Drops the reference when the arena is released. */
void rcbuf_unref_with(struct arena *a, struct rcbuf *b);

#endif
