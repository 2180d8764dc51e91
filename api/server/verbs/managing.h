/* Who manages which fields: what a mutation does to metadata.managedFields. The rules are in
 * api/machinery/fields/managers.h; here is who writes, what he sent, and how the result is stored. API loop. */
#ifndef K3X_API_SERVER_VERBS_MANAGING_H
#define K3X_API_SERVER_VERBS_MANAGING_H

#include "api/machinery/fields/managers.h"
#include "api/server/call.h"

struct mutation;

/* Of one try of a mutation. */
struct managing {
	struct managers before; /* of the stored object */
	struct managers now;
	bool is_settled;  /* an apply has made `now` itself */
	bool is_replaced; /* the client has set the list itself */
	struct manager_conflicts conflicts;
};

/* Checks fieldManager (and force): true when the call was answered with 422. options: "CreateOptions",
 * "UpdateOptions", "PatchOptions". */
bool managing_refuses(struct call *c, const char *options, bool is_apply);

/* After loading: m->before, or nothing. */
void managing_load(struct mutation *m);
/* After decoding: takes metadata.managedFields out of m->object, and what it says for true where a client may. */
void managing_take_sent(struct mutation *m);
/* After the server has set what it owns: what this write has changed is its manager's. */
void managing_track(struct mutation *m);

/* For verbs that apply: makes m->object of m->old (of nothing, for a creation) and config. ERR_CONFLICT leaves
 * conflicts. */
int managing_apply(struct mutation *m, const struct json *config, struct err *err);
/* The answer to an apply that failed; its conflicts are causes. */
void managing_tell_failure(struct mutation *m, const struct err *err);

/* Nothing differs but times. */
bool managing_is_unchanged(const struct mutation *m);
/* Appends the array that is stored; nothing when there are no managers. */
void managing_write(struct mutation *m, struct strbuf *out);

#endif
