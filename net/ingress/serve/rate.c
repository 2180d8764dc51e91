/* See rate.h. */
#include "net/ingress/serve/rate.h"

#include "base/check.h"
#include "base/mem/arena.h"
#include "base/limits.h"
#include "base/mem/list.h"
#include "base/mem/map.h"

#include <stdlib.h>

struct bucket {
	struct slice key;
	struct list_link link; /* quiet longest first */
	double tokens;
	uint64_t seen_ms;
};

struct rates {
	struct map map;
	struct list_link order;
};

struct rates *rates_new(void)
{
	struct rates *r = xcalloc(1, sizeof *r);
	list_init(&r->order);
	return r;
}

void rates_free(struct rates *r)
{
	MAP_FOREACH (it, &r->map)
		free(it->value);
	map_release(&r->map);
	free(r);
}

static struct bucket *find(struct rates *r, struct slice key, double full, uint64_t now_ms)
{
	struct bucket *b = map_get(&r->map, key);
	if (b) {
		list_del(&b->link);
	} else {
		if (r->map.count >= INGRESS_RATE_CLIENTS_MAX) {
			struct bucket *oldest = CONTAINER_OF(list_pop_front(&r->order), struct bucket, link);
			map_del(&r->map, oldest->key);
			free(oldest);
		}
		b = MAP_ENTRY_NEW(struct bucket, key, key);
		b->tokens = full;
		b->seen_ms = now_ms;
		map_put(&r->map, b->key, b);
	}
	list_push_back(&r->order, &b->link);
	return b;
}

bool rates_allow(struct rates *r, struct slice whose, const unsigned char client[16], uint32_t per_minute,
        uint32_t burst, uint64_t now_ms)
{
	char key[600];
	size_t n = whose.len < sizeof key - 16 ? whose.len : sizeof key - 16;
	double full = (double)per_minute / 60 * burst;
	full = full < burst ? burst : full;
	memcpy(key, client, 16);
	memcpy(key + 16, whose.ptr, n);
	struct bucket *b = find(r, (struct slice){key, n + 16}, full, now_ms);
	b->tokens += (double)(now_ms - b->seen_ms) * per_minute / 60000;
	b->tokens = b->tokens > full ? full : b->tokens;
	b->seen_ms = now_ms;
	if (b->tokens < 1)
		return false;
	b->tokens -= 1;
	return true;
}
