/* Informers: a local copy of one resource, kept by a watch, with a callback per change.
 *
 * An informer opens one watch with sendInitialEvents, so that the present objects come as a stream of shared bytes and
 * no large list is ever built; a bookmark ends the initial part and `synced` is called. When a watch ends it is opened
 * again from the last revision seen; when that revision is no longer kept the whole state is streamed anew and what is
 * missing from it is reported as deleted. Reconnects back off from 50 ms to 10 s with jitter.
 *
 * Objects are the server's bytes by reference (struct rcbuf): read them with json_find() and the scanner, or parse them
 * into an arena. All on the client's loop. */
#ifndef K3X_API_CLIENT_INFORMER_H
#define K3X_API_CLIENT_INFORMER_H

#include "api/client/client.h"
#include "base/json/json.h"
#include "base/mem/map.h"

struct informer;

struct informer_object {
	struct slice key;   /* "namespace/name", or "name" for cluster scope; zero byte behind it */
	struct rcbuf *json; /* the object */
	int64_t revision;
	unsigned epoch; /* the informer's own */
	void *user;     /* for the informer's owner, NULL at first; carried over updates */
};

struct informer_options {
	struct client *client;
	const char *path;                            /* "/api/v1/pods", "/apis/apps/v1/replicasets": copied */
	const char *label_selector, *field_selector; /* NULL: all */
	/* What is kept of an object instead of all of it, as one reference; never NULL. For who follows many objects
	 * and needs little of each: o->json is then what this made, and informer_parse() is not for it. NULL: all is
	 * kept. */
	struct rcbuf *(*digest)(struct slice object);
	/* Callbacks may be NULL. `before` and a deleted object are valid during the call only. */
	void (*added)(void *arg, struct informer_object *o);
	void (*updated)(void *arg, struct informer_object *o, struct rcbuf *before);
	void (*deleted)(void *arg, struct informer_object *o); /* o->json is the last state known */
	void (*synced)(void *arg);                             /* once, after the initial objects */
	void (*absent)(void *arg); /* the server does not know the resource, again at each try; it is tried on */
	void *arg;
};

/* Starts at once; options are copied. Never fails: it tries until it is closed. */
struct informer *informer_new(const struct informer_options *options);

/* No callback after this returns, but closed(arg) (may be NULL), when the memory is gone. */
void informer_close(struct informer *inf, void (*closed)(void *arg), void *arg);

bool informer_is_synced(const struct informer *inf);
struct informer_object *informer_get(const struct informer *inf, struct slice key); /* NULL when absent */
struct informer_object *informer_get_named(const struct informer *inf, struct slice ns, struct slice name);
size_t informer_count(const struct informer *inf);
/* All objects in no order: INFORMER_FOREACH(o, inf) { ... }; the set must not change meanwhile. */
const struct map *informer_objects(const struct informer *inf);
#define INFORMER_FOREACH(o, inf) \
	MAP_FOREACH (o##_slot, informer_objects(inf)) \
		for (struct informer_object *o = o##_slot->value; o; o = NULL)

/* The object's tree in the arena; NULL only if the server sent something that is not JSON. */
struct json *informer_parse(struct arena *a, const struct informer_object *o);

static inline struct slice informer_text(const struct informer_object *o)
{
	return (struct slice){o->json->data, o->json->len};
}

#endif
