/* Who manages which fields: what a write does to metadata.managedFields. The rules are in
 * api/machinery/fields/managers.h; here is who writes, what he sent, and how the result is stored.
 *
 * Embedded in a mutation, whose steps call in this order. API loop. */
#ifndef K3X_API_SERVER_VERBS_MANAGING_H
#define K3X_API_SERVER_VERBS_MANAGING_H

#include "api/machinery/fields/managers.h"
#include "api/server/cache/object.h"
#include "api/server/call.h"

struct managing {
	/* set by managing_init() */
	struct call *call;
	struct arena *arena;
	const struct resource *resource;
	const char *sub;
	bool is_aside; /* the write is nobody's: who manages what stays as it is */
	/* of this try */
	struct slice packed; /* of the stored object */
	struct managers before, now;
	bool is_settled; /* an apply has made `now` itself */
	struct manager_conflicts conflicts;
};

/* Checks fieldManager (and force): true when the call was answered with 422. options: "CreateOptions",
 * "UpdateOptions", "PatchOptions". */
bool managing_refuses(struct call *c, const char *options, bool is_apply);

void managing_init(
        struct managing *g, struct call *c, struct arena *a, const struct resource *r, const char *sub, bool is_aside);
/* A new try, on an object that lives as long as the try; NULL: a creation. */
void managing_load(struct managing *g, const struct object *before);
/* Takes metadata.managedFields out of what the client wants, and what it says for true where a client may. */
void managing_take_sent(struct managing *g, struct json *object);
/* What differs between the two is the writer's now, unless an apply has said so itself. `old` NULL: a creation. */
void managing_track(struct managing *g, const struct json *old, const struct json *object);
/* What applying `config` leads to, in *ret. `old` NULL: a creation. ERR_CONFLICT may leave conflicts. */
int managing_apply(
        struct managing *g, const struct json *old, const struct json *config, struct json **ret, struct err *err);
/* Answers the call with its conflicts as causes. */
void managing_tell_conflicts(struct managing *g);

/* Nothing differs but times. */
bool managing_is_unchanged(const struct managing *g);
/* Appends the array that is stored; nothing when there are no managers. */
void managing_write(const struct managing *g, struct strbuf *out);

#endif
