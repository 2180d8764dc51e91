/* Ordered map from byte strings to pointers: a skip list. For what must be walked in key order and paged from any key.
 * Keys are borrowed (usually they live in the value). One thread at a time. */
#ifndef K3X_BASE_MEM_OMAP_H
#define K3X_BASE_MEM_OMAP_H

#include "base/mem/str.h"

enum { OMAP_LEVELS = 18 }; /* good to a few hundred thousand entries */

struct omap_node {
	struct slice key;
	void *value;
	unsigned levels;
	struct omap_node *next[];
};

struct omap {
	struct omap_node *head[OMAP_LEVELS];
	size_t count;
	uint32_t random;
};

void omap_init(struct omap *m);
void omap_release(struct omap *m);                      /* values are not touched */
void *omap_get(const struct omap *m, struct slice key); /* NULL when absent */
/* Adds or replaces; returns the value that was there, NULL when none. A replaced entry takes the new key's bytes. */
void *omap_put(struct omap *m, struct slice key, void *value);
void *omap_del(struct omap *m, struct slice key); /* returns the value, NULL when absent */
/* The first entry whose key is >= key; NULL at the end. Walk on with omap_next(). */
struct omap_node *omap_seek(const struct omap *m, struct slice key);

static inline struct omap_node *omap_next(const struct omap_node *n)
{
	return n->next[0];
}

#endif
