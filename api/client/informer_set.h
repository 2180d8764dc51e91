/* One informer per resource for all controllers of a loop, with indexes.
 *
 * informer_set_get() makes an informer on first use and returns the same one to everybody after. A handler that comes
 * late is told about the objects that are there already. Indexes group objects by a text that is computed from each
 * object (a pod's node, its owner's uid); objects without such a text are in no group. All on the client's loop. */
#ifndef K3X_API_CLIENT_INFORMER_SET_H
#define K3X_API_CLIENT_INFORMER_SET_H

#include "api/client/informer.h"
#include "base/mem/list.h"

struct informer_set;
struct shared_informer;
struct informer_index;

/* Embedded by whoever listens; must live until the set is closed or informer_set_ignore(). Callbacks may be NULL. */
struct informer_handler {
	void (*added)(void *arg, struct informer_object *o);
	void (*updated)(void *arg, struct informer_object *o, struct rcbuf *before);
	void (*deleted)(void *arg, struct informer_object *o);
	void *arg;
	struct list_link link; /* the set's own */
};

struct informer_set *informer_set_new(struct client *client);
/* Calls closed(arg) when every informer is gone. No callback runs after this returns. */
void informer_set_close(struct informer_set *s, void (*closed)(void *arg), void *arg);

/* By path: "/api/v1/pods", "/apis/apps/v1/replicasets". It lives until the set closes, or until all who got it left. */
struct shared_informer *informer_set_get(struct informer_set *s, const char *path);
void informer_set_listen(struct shared_informer *i, struct informer_handler *h);
void informer_set_ignore(struct informer_handler *h);
/* Calls fn(arg) once, when every informer that exists by then has its initial objects; at the loop's next turn at the
 * earliest. Several may wait. */
void informer_set_when_synced(struct informer_set *s, void (*fn)(void *arg), void *arg);
/* Takes back a call that has not come yet. */
void informer_set_stop_waiting(struct informer_set *s, void (*fn)(void *arg), void *arg);
/* For who comes and goes before the set closes (a custom resource that is no longer served): tells the handler that
 * every object is deleted, takes it off, and gives back what one informer_set_get() gave. The informer ends when nobody
 * has it any more. */
void informer_set_leave(struct shared_informer *i, struct informer_handler *h);

struct informer *shared_informer_base(struct shared_informer *i); /* for informer_get() and friends */

/* `key` appends the group's text, or nothing. The same name gives the same index. */
struct informer_index *informer_index_get(
        struct shared_informer *i, const char *name, void (*key)(struct slice object, struct strbuf *out));
/* The objects of a group; NULL when it is empty. The group must not change while it is walked. */
struct informer_group;
const struct informer_group *informer_index_group(const struct informer_index *x, struct slice key);
size_t informer_group_count(const struct informer_group *g); /* 0 for NULL */
/* First and next object of a group, NULL at the end. `at` is the walker's place, NULL at first. */
struct informer_object *informer_group_next(const struct informer_group *g, struct list_link **at);
#define INFORMER_GROUP_FOREACH(o, group) \
	struct list_link *o##_at = NULL; \
	for (struct informer_object * o; (o = informer_group_next((group), &o##_at));)

/* Indexes of pods that several rooms use. */
void informer_index_pod_node(struct slice object, struct strbuf *out); /* spec.nodeName */
/* The controlling owner's uid, or "/NAMESPACE" for objects without one. */
void informer_index_owner(struct slice object, struct strbuf *out);
void informer_index_namespace(struct slice object, struct strbuf *out);

#endif
