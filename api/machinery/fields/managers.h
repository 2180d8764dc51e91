/* Who manages which fields of an object: metadata.managedFields, and what writes do to it (Kubernetes API reference,
 * "Server-Side Apply"; structured-merge-diff's Updater and the chain of upstream's field manager).
 *
 *     managers_read()      entries of the stored text, or of what a client sent
 *     managers_update()    after any write but an apply: what it has changed is its manager's now
 *     managers_apply()     an apply: what it names is its manager's, what others have is in conflict, what it named
 *                          last time and nobody owns goes
 *     managers_write()     the text that is stored
 *
 * Everything lives in one arena and borrows from what it was made of. No clock and no server here. Any thread. */
#ifndef K3X_API_MACHINERY_FIELDS_MANAGERS_H
#define K3X_API_MACHINERY_FIELDS_MANAGERS_H

#include "api/machinery/fields/compare.h"
#include "api/machinery/schema/resources.h"

struct manager {
	struct manager *next;
	struct slice name, api_version, subresource, time; /* time: RFC 3339 in UTC, empty: none */
	bool is_apply;
	struct field_set *fields;
};

struct managers {
	struct manager *first;
};

/* What is written, and by whom. */
struct managers_write {
	struct arena *arena;
	const struct resource *resource; /* of the row in which both objects are */
	const char *sub;                 /* "" or the subresource */
	struct slice manager;
	const char *now; /* RFC 3339 */
	/* Fields that this write may not set, whatever it says: paths, dotted, commas between. */
	const char *resets;
	bool is_status; /* it writes the status: of all else only metadata counts */
};

/* Upstream's bound on entries of operation Update; the oldest beyond it are folded into one. */
enum { MANAGERS_UPDATERS_MAX = 10, MANAGER_NAME_BYTES_MAX = 128 };

/* Of a JSON array. is_own: it was made by managers_write(), and lives as long as the arena; else texts are copied
 * there. ERR_INVAL with what is wrong. */
int managers_read(struct arena *a, struct slice text, bool is_own, struct managers *out, struct err *err);
void managers_write(struct strbuf *out, const struct managers *m); /* appends the array, in upstream's order */
/* Times left aside. */
bool managers_equal(const struct managers *x, const struct managers *y);

/* The object before it is created: what Go's zero value looks like in JSON. */
struct json *managers_zero(struct arena *a, const struct resource *r);
/* From `old` to `now`, both in Go's form; `old` of a creation: managers_zero(). */
void managers_update(
        const struct managers_write *w, struct managers *m, const struct json *old, const struct json *now);

struct manager_conflict {
	const struct manager *with;
	const char *path; /* ".spec.replicas" */
};

struct manager_conflicts {
	struct manager_conflict *items;
	size_t count, cap;
};

/* Makes what applying `config` to `live` leads to: *ret in the arena, live is not changed. exists: live is a stored
 * object. Without `force` fields of others that it would change are told in `conflicts` and ERR_CONFLICT is answered
 * with upstream's message; m is then to be dropped. ERR_INVAL: config cannot be applied. */
int managers_apply(const struct managers_write *w, struct managers *m, const struct json *live, bool exists,
        const struct json *config, bool force, struct json **ret, struct manager_conflicts *conflicts, struct err *err);
/* "Apply failed with 1 conflict: conflict with "x" using apps/v1: .spec.replicas". In the arena. */
const char *managers_conflict_text(struct arena *a, const struct manager_conflicts *c);
/* `"x" with subresource "scale" using apps/v1` */
const char *manager_text(struct arena *a, const struct manager *m);

#endif
