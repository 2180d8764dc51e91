/* The controller revisions of a daemon set or stateful set: found, adopted, made, renumbered and cut to the limit.
 *
 *     history_load()      false: orphans were adopted or strangers let go, their events bring the owner again
 *     history_settle()    false: the present template's revision is being made or moved to the end, its event brings
 *                         the owner again; true: h->fresh is it
 *     history_truncate()  deletes what is beyond the limit
 *
 * What can go wrong: the name, which is the owner's and the template's hash, is taken by another template. Then the
 * next collision count is written into the owner's status, which changes the next name. On the client's loop. */
#ifndef K3X_API_CONTROLLERS_HISTORY_H
#define K3X_API_CONTROLLERS_HISTORY_H

#include "api/controllers/claim.h"
#include "api/controllers/revisions.h"

#define REVISION_HASH "controller-revision-hash"

struct history {
	/* set by the owner's controller */
	struct work *work;
	const char *kind, *plural; /* of the owner; its group is apps/v1 */
	const char *hash_label;    /* the revision's label that holds the hash */
	struct meta owner;
	struct json *object; /* the owner */
	const struct label_selector *selector;
	const struct informer_index *by_owner; /* of the revisions */
	int64_t collisions;                    /* status.collisionCount */
	/* found */
	struct revision *list; /* oldest first */
	size_t count;
	struct revision *fresh; /* of the present template */
	struct json *data;      /* the present template's */
	const char *path;       /* its own: of the revision being made */
};

bool history_load(struct history *h);
bool history_settle(struct history *h);
void history_truncate(struct history *h, int64_t limit);
struct revision *history_named(struct history *h, struct slice name); /* NULL: none */
void history_delete(struct history *h, const struct revision *r);

#endif
