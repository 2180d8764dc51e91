/* Which images may go. Pure: times come in, milliseconds of one clock that does not jump. */
#ifndef K3X_NODE_COLLECT_IMAGE_LEDGER_INT_H
#define K3X_NODE_COLLECT_IMAGE_LEDGER_INT_H

#include "base/mem/arena.h"
#include "base/mem/map.h"

#include <stdint.h>

struct ledger_image {
	struct slice id;
	uint64_t first_seen_ms; /* 0: it was there when we came */
	uint64_t last_used_ms;  /* 0: never */
	uint64_t bytes;
	bool is_pinned, is_used;
	unsigned seen; /* the round that saw it last */
};

struct image_ledger {
	struct map images; /* id -> struct ledger_image */
	unsigned round;
	uint64_t began_ms; /* of the first round */
};

void image_ledger_release(struct image_ledger *l);

/* A round: begin, then every image that is there, then every id that a container (dead ones too) is made of, then end,
 * which forgets the images that are gone. */
void image_ledger_begin(struct image_ledger *l, uint64_t now_ms);
void image_ledger_see(struct image_ledger *l, struct slice id, uint64_t bytes, bool is_pinned, uint64_t now_ms);
void image_ledger_use(struct image_ledger *l, struct slice id, uint64_t now_ms);
void image_ledger_end(struct image_ledger *l);

struct image_choice {
	const struct ledger_image **list; /* in the arena; those that go first stand first */
	size_t count;
	uint64_t bytes; /* of all of them together */
};

/* Unused ones of at least min_age_ms, least recently used first, until they are of `bytes` together. */
struct image_choice image_ledger_choose(
        const struct image_ledger *l, struct arena *a, uint64_t bytes, uint64_t min_age_ms, uint64_t now_ms);
/* Those that nobody has used for max_age_ms; none before we have looked on for so long ourselves. */
struct image_choice image_ledger_stale(
        const struct image_ledger *l, struct arena *a, uint64_t min_age_ms, uint64_t max_age_ms, uint64_t now_ms);

/* How much is to be freed for the disk to be used to low_percent, when it is to high_percent or more; 0: nothing. */
uint64_t image_bytes_to_free(uint64_t capacity, uint64_t available, unsigned high_percent, unsigned low_percent);

#endif
