/* What the files of fairness/ share. */
#ifndef K3X_API_SERVER_FAIRNESS_FAIRNESS_INT_H
#define K3X_API_SERVER_FAIRNESS_FAIRNESS_INT_H

#include "api/server/cache/follower.h"
#include "api/server/fairness/fairness.h"
#include "api/server/fairness/levels.h"
#include "api/server/fairness/schemas.h"

struct fairness {
	struct api_server *server;
	struct cache_follower schemas_followed, levels_followed;
	bool is_stale; /* an object has changed */
	struct levels levels;
	struct schema **schemas; /* in order */
	size_t n_schemas;
	struct loop_defer go_on;
};

/* Of one call, in its arena. */
struct flow {
	struct seat seat;
	struct call *call;
	struct schema *schema; /* a reference; NULL: it has left */
	struct slice schema_uid, level_uid;
	void (*then)(struct call *c, const struct err *err);
	bool is_waiting;
	uint64_t started_ms; /* 0: not yet */
};

#endif
