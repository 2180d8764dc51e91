/* What containers were given, and what they wish. Loop's thread. */
#ifndef K3X_NODE_ALLOCATION_ALLOCATION_H
#define K3X_NODE_ALLOCATION_ALLOCATION_H

#include "base/err.h"
#include "base/json/json.h"

struct allocations;
struct node;
struct pod;

/* *ret is NULL where pods cannot be resized: all below take NULL, and do nothing then. ERR_INVAL: the file is not ours,
 * with what to do about it. Blocks for a small file. */
int allocations_new(struct node *n, struct allocations **ret, struct err *err);
void allocations_free(struct allocations *l);

/* The pod has a new tree: what was given takes the place of what is wished, which is kept in p->wished. */
void allocation_lay_in(struct allocations *l, struct pod *p);
/* The pod is let in, or was: it is given what its spec says, if nothing was before. is_told: it runs with that already.
 */
void allocation_admit(struct allocations *l, const struct pod *p, bool is_told);
/* Gives what is wished: into the spec too. */
void allocation_grant(struct allocations *l, struct pod *p);
/* The runtime was told what the container's spec says. */
void allocation_told(struct allocations *l, const struct pod *p, const char *container);
/* What it was told last, in the arena; NULL: nothing yet. */
struct json *allocation_last_told(
        const struct allocations *l, const struct pod *p, const char *container, struct arena *a);
void allocation_give_back(struct allocations *l, const struct pod *p);

#endif
