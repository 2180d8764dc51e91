/* What is known of a pod's nodes while extenders are asked: which fit it, which are left, what spoke against the
 * others, and points. Pure; one thread. */
#ifndef K3X_API_SCHEDULER_EXTENDER_OPINIONS_H
#define K3X_API_SCHEDULER_EXTENDER_OPINIONS_H

#include "api/scheduler/extenders/extender_wire.h"
#include "base/mem/map.h"

struct opinion {
	struct slice name;
	bool fits;       /* by our own filters: it is one of those that extenders are asked about */
	bool is_left;    /* no extender has ruled it out */
	bool may_help;   /* if pods went from it, it might do */
	const char *why; /* an extender's reason against it; NULL: it gave none */
	int64_t points;  /* weighed, on the scale of our own scores */
	size_t round;    /* of the answer that named it last */
};

struct opinions {
	struct arena *a;
	struct opinion *all;
	size_t count, cap;
	size_t left;  /* how many are */
	size_t round; /* answers so far */
	struct map by_name;
};

/* Of `cap` nodes at the most; texts are copied into the arena. */
void opinions_init(struct opinions *o, struct arena *a, size_t cap);
void opinions_release(struct opinions *o);
/* A node that is there; its name is new. */
void opinions_add(struct opinions *o, struct slice name, bool fits, bool may_help);
struct opinion *opinions_find(const struct opinions *o, struct slice name); /* NULL: it was not there */

/* An extender's answer: those that it does not name as good are out. ERR_NOT_FOUND: it names one that it was not asked
 * about, and nothing has changed. What it says against a node that it was not asked about is not heard. */
int opinions_filter(
        struct opinions *o, const struct scheduler_extender *by, const struct extender_filtered *f, struct err *err);
/* Adds its points, by its weight. */
void opinions_score(
        struct opinions *o, const struct scheduler_extender *by, const struct extender_score *scores, size_t n);

#endif
