/* What each pod that may be evicted holds of what the node is short of. Loop's thread. */
#ifndef K3X_NODE_EVICTION_SURVEY_INT_H
#define K3X_NODE_EVICTION_SURVEY_INT_H

#include "node/eviction/rank_int.h"
#include "node/ground/errand.h"

struct survey_measure;

/* Embedded by the caller; zeroed before, released after done(). */
struct survey {
	struct node *n;
	enum eviction_signal signal;
	bool is_one_fs; /* images and pods share a file system: layers count with the rest */
	void (*done)(struct survey *s);
	struct arena arena;
	struct eviction_candidate *candidates;
	size_t count;
	struct errand errand;
	struct survey_measure *measures;
};

/* n, signal, is_one_fs and done are set. done() comes once, never inside. */
void survey_start(struct survey *s);
void survey_release(struct survey *s);

#endif
