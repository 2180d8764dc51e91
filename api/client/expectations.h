/* Expectations: what a controller has asked for and its informer has not shown yet.
 *
 * A controller that created three pods must not count the informer's pods before all three were seen there, or it would
 * create them again. It raises its expectations before it asks, every event of the informer lowers them, and it does
 * nothing about numbers while any is unfulfilled. After five minutes they are given up, all that were raised for the
 * key: an event was lost, and what is raised then counts anew. Who finds them unfulfilled is told how long that can
 * last, so that it comes again by itself when no event brings it. One thread. */
#ifndef K3X_API_CLIENT_EXPECTATIONS_H
#define K3X_API_CLIENT_EXPECTATIONS_H

#include "base/mem/map.h"

struct expectations {
	struct map entries;
};

void expectations_init(struct expectations *e);
void expectations_release(struct expectations *e);

void expectations_raise_creates(struct expectations *e, struct slice key, int64_t n, uint64_t now_ms);
/* An object's deletion, known by its uid: seen once, however many events tell of it. */
void expectations_raise_delete(struct expectations *e, struct slice key, struct slice uid, uint64_t now_ms);
void expectations_create_seen(struct expectations *e, struct slice key); /* also: the creation failed */
void expectations_delete_seen(struct expectations *e, struct slice key, struct slice uid);
/* *ret_wait_ms (may be NULL; set when false): when they will be given up at the latest. */
bool expectations_fulfilled(struct expectations *e, struct slice key, uint64_t now_ms, int64_t *ret_wait_ms);
void expectations_forget(struct expectations *e, struct slice key);

#endif
