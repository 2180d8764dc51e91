/* Who may serve an address: two services may name the same external address and port, and the first by creation gets
 * it. Pure. */
#ifndef K3X_NET_PROXY_CLAIMS_INT_H
#define K3X_NET_PROXY_CLAIMS_INT_H

#include "base/mem/list.h"
#include "base/mem/map.h"

struct claims {
	struct map places; /* "192.0.2.1 tcp 80" -> struct place */
};

/* One who claims places; embedded. */
struct claimant {
	struct slice key; /* "namespace/name"; lives as long as the claimant */
	const char *rank; /* creation time as text: the lowest wins, then the lowest key; borrowed as well */
	struct list_link claims;
};

void claims_init(struct claims *c);
void claims_release(struct claims *c); /* no claimant has a claim any more */
void claimant_init(struct claimant *who, struct slice key);

/* The place is claimed by `who`; once is enough. */
void claims_add(struct claims *c, struct claimant *who, struct slice place);
/* Gives all its claims up, which others may then have. */
void claims_drop(struct claims *c, struct claimant *who);
/* Who has the place; NULL: nobody claims it. */
struct claimant *claims_winner(struct claims *c, struct slice place);
/* Calls fn for each other claimant of a place that `who` claims: those whom a change of its claims may touch. */
void claims_each_rival(struct claimant *who, void (*fn)(struct claimant *rival, void *arg), void *arg);

#endif
