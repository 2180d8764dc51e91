/* Topologies: labels by which nodes are told apart, their values numbered. Rules about other pods ask every node for
 * its value, several times for every pod that is placed; a node keeps the numbers of its values until its labels
 * change, so that asking is reading an array, and what is counted by value lies in arrays as well.
 *
 * Keys come from pods and values from nodes, so that neither may pile up: when there are far more than nodes could
 * need, all are forgotten, between two attempts. */
#include "api/scheduler/scheduler_int.h"

#include "base/check.h"

enum { KEYS_MAX = 64, VALUES_SPARE = 4096, VALUES_PER_NODE = 4 };

static struct topology *topology_new(struct cache *k, const char *key)
{
	struct topology *t = xcalloc(1, sizeof *t);
	t->key = xstrdup(key);
	t->index = k->n_topologies;
	k->topologies = xrealloc(k->topologies, (k->n_topologies + 1) * sizeof(struct topology *));
	k->topologies[k->n_topologies++] = t;
	return t;
}

struct topology *topology_need(struct cache *k, const char *key)
{
	struct topology *t = NULL;
	for (size_t i = 0; i < k->n_topologies && !t; i++)
		if (strcmp(k->topologies[i]->key, key) == 0)
			t = k->topologies[i];
	t = t ? t : topology_new(k, key);
	for (size_t i = 0; i < k->count; i++)
		topology_number(t, k->list[i]);
	return t;
}

/* ---- numbers ---- */

struct numbered {
	uint32_t number;
	char value[];
};

static uint32_t number_of(struct topology *t, struct slice value)
{
	struct numbered *have = map_get(&t->values, value);
	if (have)
		return have->number;
	have = xcalloc(1, sizeof *have + value.len);
	have->number = (uint32_t)++t->count;
	if (value.len)
		memcpy(have->value, value.ptr, value.len);
	map_put(&t->values, (struct slice){have->value, value.len}, have);
	return have->number;
}

/* One more than the numbers: 0 is not known yet, 1 has no such label. */
struct places {
	uint32_t *all; /* by topology */
	size_t count;
};

static uint32_t *place_of(struct places *p, size_t index)
{
	if (index >= p->count) {
		p->all = xrealloc(p->all, (index + 1) * sizeof *p->all);
		memset(p->all + p->count, 0, (index + 1 - p->count) * sizeof *p->all);
		p->count = index + 1;
	}
	return &p->all[index];
}

uint32_t topology_number(struct topology *t, const struct node_info *n)
{
	uint32_t *place = place_of(n->places, t->index);
	if (!*place) {
		struct slice value = node_label(n, t->key);
		*place = 1 + (value.ptr ? number_of(t, value) : 0);
	}
	return *place - 1;
}

struct places *places_new(void)
{
	return xcalloc(1, sizeof(struct places));
}

void places_forget(struct places *p)
{
	free(p->all);
	*p = (struct places){0};
}

void places_free(struct places *p)
{
	places_forget(p);
	free(p);
}

/* ---- forgetting ---- */

void topologies_release(struct cache *k)
{
	MAP_FOREACH (slot, &k->nodes)
		places_forget(((struct node_info *)slot->value)->places);
	for (size_t i = 0; i < k->n_topologies; i++) {
		MAP_FOREACH (slot, &k->topologies[i]->values)
			free(slot->value);
		map_release(&k->topologies[i]->values);
		free(k->topologies[i]->key);
		free(k->topologies[i]);
	}
	free(k->topologies);
	k->topologies = NULL;
	k->n_topologies = 0;
}

void topologies_trim(struct cache *k)
{
	size_t values = 0;
	for (size_t i = 0; i < k->n_topologies; i++)
		values += k->topologies[i]->count;
	if (k->n_topologies > KEYS_MAX || values > VALUES_PER_NODE * k->count + VALUES_SPARE)
		topologies_release(k);
}
