/* See claims_int.h. A place has the list of its claims, a claimant the list of its own. */
#include "net/proxy/claims_int.h"

#include "base/check.h"
#include "base/mem/arena.h"

#include <stdlib.h>

struct place {
	struct slice key;
	struct list_link claims;
};

struct claim {
	struct place *place;
	struct claimant *who;
	struct list_link in_place, in_claimant;
};

void claims_init(struct claims *c)
{
	map_init(&c->places);
}

void claims_release(struct claims *c)
{
	CHECK(c->places.count == 0);
	map_release(&c->places);
}

void claimant_init(struct claimant *who, struct slice key)
{
	*who = (struct claimant){.key = key, .rank = ""};
	list_init(&who->claims);
}

static struct place *place_get(struct claims *c, struct slice key)
{
	struct place *p = map_get(&c->places, key);
	if (p)
		return p;
	p = MAP_ENTRY_NEW(struct place, key, key);
	list_init(&p->claims);
	map_put(&c->places, p->key, p);
	return p;
}

void claims_add(struct claims *c, struct claimant *who, struct slice key)
{
	struct place *p = place_get(c, key);
	LIST_FOREACH (it, &p->claims)
		if (CONTAINER_OF(it, struct claim, in_place)->who == who)
			return;
	struct claim *claim = xcalloc(1, sizeof *claim);
	claim->place = p;
	claim->who = who;
	list_push_back(&p->claims, &claim->in_place);
	list_push_back(&who->claims, &claim->in_claimant);
}

void claims_drop(struct claims *c, struct claimant *who)
{
	struct list_link *l;
	while ((l = list_pop_front(&who->claims))) {
		struct claim *claim = CONTAINER_OF(l, struct claim, in_claimant);
		struct place *p = claim->place;
		list_del(&claim->in_place);
		free(claim);
		if (list_empty(&p->claims)) {
			map_del(&c->places, p->key);
			free(p);
		}
	}
}

static bool is_before(const struct claimant *a, const struct claimant *b)
{
	int d = strcmp(a->rank, b->rank);
	return d ? d < 0 : slice_cmp(a->key, b->key) < 0;
}

struct claimant *claims_winner(struct claims *c, struct slice place)
{
	struct place *p = map_get(&c->places, place);
	struct claimant *first = NULL;
	if (!p)
		return NULL;
	LIST_FOREACH (it, &p->claims) {
		struct claimant *who = CONTAINER_OF(it, struct claim, in_place)->who;
		if (!first || is_before(who, first))
			first = who;
	}
	DCHECK(first);
	return first;
}

void claims_each_rival(struct claimant *who, void (*fn)(struct claimant *rival, void *arg), void *arg)
{
	LIST_FOREACH (it, &who->claims)
		LIST_FOREACH (other, &CONTAINER_OF(it, struct claim, in_claimant)->place->claims) {
			struct claimant *rival = CONTAINER_OF(other, struct claim, in_place)->who;
			if (rival != who)
				fn(rival, arg);
		}
}
