/* ConfigMaps as registers, by which the workloads of Kubernetes' API see what became of their writes.
 *
 * Each holds one number. It is read, and created, updated or deleted by compare-and-swap on the resourceVersion that
 * was read; all of it is recorded as READ and CAS of the numbers, which are unique, with HISTORY_NIL for "not there".
 * So a history says of every object whether some order of all that was asked for explains all that was answered, and
 * with the resourceVersions whether that order is the one the servers claim.
 *
 * What is under way at a worker goes through the client that api_client() keeps in its state. */
#ifndef K3X_JEPSEN_API_OBJECTS_H
#define K3X_JEPSEN_API_OBJECTS_H

#include "jepsen/kube_client.h"
#include "jepsen/workload.h"

enum { API_OBJECTS = 12 };

#define API_PREFIX "obj-" /* of all names; keys of the history are the names */
#define API_NAMESPACE "jepsen"
#define API_CONFIGMAPS "/api/v1/namespaces/" API_NAMESPACE "/configmaps"

/* First in the state of every worker of such a workload. */
struct api_state {
	struct kube_client *client;
};

/* The worker's client, made when it is first wanted; `size` is of its state, which is made with it. */
struct kube_client *api_client(struct worker *w, size_t size);
/* Goes to another server, or stays, at random. */
void api_move_on(struct worker *w);
/* Workload's end(): releases what the state holds; the runner frees the state itself. */
void api_end(struct worker *w);
/* Workload's prepare(): the namespace. */
int api_prepare(struct run *r, struct err *err);

/* Reads an object and, unless `only_read`, swaps on what it saw. False unless the whole of it succeeded; then *revision
 * is the resourceVersion of what was written, -1 after a delete. */
bool api_object_step(struct worker *w, unsigned object, bool only_read, uint16_t flags, int64_t *revision);

/* A list of all, recorded: at once or in pages, at random. The items (in the worker's arena) and the list's
 * resourceVersion. */
bool api_objects_list(
        struct worker *w, struct kube_client *c, struct history_item **items, unsigned *count, int64_t *revision);

/* What a ConfigMap of ours holds; a number that no write has when that is none. */
int64_t api_object_value(const json_t *object);
/* Its name in the worker's arena, NULL when it is none of ours. */
const char *api_object_name(struct worker *w, const json_t *object);

#endif
