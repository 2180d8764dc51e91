/* Devices of plugins: what the node offers, and what a container gets. Loop's thread. */
#ifndef K3X_NODE_DEVICES_DEVICES_H
#define K3X_NODE_DEVICES_DEVICES_H

#include "node/numa/numa.h"
#include "node/numa/numa_hint.h"
#include "node/runtime/cri.h"

struct devices;
struct json;
struct node;
struct pod;

/* Listens at kubelet.sock in /var/lib/kubelet/device-plugins, or, with a data folder of one's own, in
 * DATA/agent/kubelet/device-plugins. changed(n): there are others. Errors: the folder cannot be made, the socket cannot
 * be listened at, the checkpoint is not ours. `numa` is borrowed. */
int devices_new(struct node *n, const struct numa *numa, void (*changed)(struct node *n), struct devices **ret,
        struct err *err);
void devices_close(struct devices *d, void (*closed)(void *arg), void *arg);
void devices_free(struct devices *d); /* after the node's errands and calls */

enum devices_answer { DEVICES_TAKEN, DEVICES_PENDING, DEVICES_REFUSED };

/* On which nodes of memory those could lie that a container (of the pod's spec; NULL: the pod as a whole) asks for; no
 * wish where the plugin does not say. */
void devices_wish(const struct devices *d, const struct pod *p, const struct json *container, struct numa_wishes *w);
/* What a container asks for, near to those nodes as far as there are any; nothing when it has it. PENDING: the plugins
 * are being asked, the pod is ticked when they have answered, and asks again. REFUSED: *err in upstream's words. */
enum devices_answer devices_take(
        struct devices *d, struct pod *p, const struct json *container, uint64_t nodes, struct err *err);
void devices_give_back(struct devices *d, const struct pod *p);

/* Puts what the plugins said into a container's configuration. */
void devices_apply(
        const struct devices *d, const struct pod *p, const char *container, struct arena *a, CRI(ContainerConfig) * c);
/* Tells plugins that want to know that the container is about to be made. False: none does, done() is not called. */
bool devices_pre_start(struct devices *d, const struct pod *p, const char *container,
        void (*done)(void *arg, const struct err *err), void *arg);

struct device_use {
	const char *resource, *id;
	uint64_t nodes; /* of memory that it is near to; 0: the plugin does not say, or is gone */
};

/* What a container has, and what is there and well. The texts live during fn(). */
void devices_each_of(const struct devices *d, const struct pod *p, const char *container,
        void (*fn)(void *arg, const struct device_use *use), void *arg);
void devices_each(const struct devices *d, void (*fn)(void *arg, const struct device_use *use), void *arg);

/* Adds them to both lists of the Node's status. */
void devices_status(const struct devices *d, struct arena *a, struct json *capacity, struct json *allocatable);

#endif
