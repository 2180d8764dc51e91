/* The events of one batch, counted by reference and shared by all watchers and by the memory table. Built by one
 * thread; its bytes never move, so they may be pointed to before it is sealed; nothing changes after that. See
 * event_block.c. */
#ifndef K3X_STORE_MACHINE_MEMORY_EVENT_BLOCK_H
#define K3X_STORE_MACHINE_MEMORY_EVENT_BLOCK_H

#include "store/engine.h"

#include <stdatomic.h>

struct block_chunk;

struct event_block {
	atomic_uint refs;
	bool has_prev; /* previous pairs were collected */
	bool sealed;
	int64_t first_revision; /* of the events within */
	int64_t last_revision;  /* everything up to here has been said once these events are */
	struct store_event *events;
	size_t n;
	size_t cap;
	struct block_chunk *chunk; /* the newest */
	size_t bytes;              /* of all keys and values */
	size_t chunk_bytes;        /* what they take */
};

struct event_block *event_block_new(bool has_prev);
struct event_block *event_block_ref(struct event_block *b);
void event_block_unref(struct event_block *b); /* NULL is allowed */

/* Adds an event, copying the bytes of `kv`, and of `prev` when it is not NULL. The event: valid until the next one is
 * added; what its slices point to lives as long as the block. */
const struct store_event *event_block_add(
        struct event_block *b, bool is_delete, const struct store_kv *kv, const struct store_kv *prev);

/* Fits the memory. */
void event_block_seal(struct event_block *b);

/* Memory a sealed block holds. */
size_t event_block_bytes(const struct event_block *b);

#endif
