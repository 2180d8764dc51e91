/* See omap.h. Each level is a sorted list that holds a quarter of the one below (p = 1/4), so a
 * node holds 1.33 links on average. */
#include "base/mem/omap.h"

#include "base/mem/arena.h"

#include <stdlib.h>

void omap_init(struct omap *m)
{
	*m = (struct omap){.random = 2463534242u};
}

void omap_release(struct omap *m)
{
	for (struct omap_node *next, *n = m->head[0]; n; n = next) {
		next = n->next[0];
		free(n);
	}
	omap_init(m);
}

/* links[i]: the link at level i that leads to the first key >= key. */
static struct omap_node *find(struct omap *m, struct slice key, struct omap_node **links[OMAP_LEVELS])
{
	struct omap_node **row = m->head;
	for (int i = OMAP_LEVELS - 1; i >= 0; i--) {
		while (row[i] && slice_cmp(row[i]->key, key) < 0)
			row = row[i]->next;
		links[i] = &row[i];
	}
	return *links[0];
}

struct omap_node *omap_seek(const struct omap *m, struct slice key)
{
	struct omap_node *const *row = m->head;
	for (int i = OMAP_LEVELS - 1; i >= 0; i--)
		while (row[i] && slice_cmp(row[i]->key, key) < 0)
			row = row[i]->next;
	return row[0];
}

void *omap_get(const struct omap *m, struct slice key)
{
	struct omap_node *n = omap_seek(m, key);
	return n && slice_eq(n->key, key) ? n->value : NULL;
}

static unsigned random_levels(struct omap *m)
{
	m->random ^= m->random << 13;
	m->random ^= m->random >> 17;
	m->random ^= m->random << 5;
	unsigned levels = 1 + (unsigned)__builtin_ctz(m->random | 1u << 31) / 2;
	return levels < OMAP_LEVELS ? levels : OMAP_LEVELS;
}

void *omap_put(struct omap *m, struct slice key, void *value)
{
	struct omap_node **links[OMAP_LEVELS];
	struct omap_node *n = find(m, key, links);
	if (n && slice_eq(n->key, key)) {
		void *old = n->value;
		n->key = key;
		n->value = value;
		return old;
	}
	unsigned levels = random_levels(m);
	n = xmalloc(sizeof *n + levels * sizeof n->next[0]);
	n->key = key;
	n->value = value;
	n->levels = levels;
	for (unsigned i = 0; i < levels; i++) {
		n->next[i] = *links[i];
		*links[i] = n;
	}
	m->count++;
	return NULL;
}

void *omap_del(struct omap *m, struct slice key)
{
	struct omap_node **links[OMAP_LEVELS];
	struct omap_node *n = find(m, key, links);
	if (!n || !slice_eq(n->key, key))
		return NULL;
	for (unsigned i = 0; i < n->levels; i++)
		*links[i] = n->next[i];
	void *old = n->value;
	free(n);
	m->count--;
	return old;
}
