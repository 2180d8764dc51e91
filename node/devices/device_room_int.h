/* The ledger, its checkpoint, and the plugins that are connected. Loop's thread. */
#ifndef K3X_NODE_DEVICES_DEVICE_ROOM_INT_H
#define K3X_NODE_DEVICES_DEVICE_ROOM_INT_H

#include "base/rt/closing.h"
#include "node/devices/device_ledger_int.h"
#include "node/devices/plugin_int.h"

struct node;
struct registration;

enum { PLUGINS_MAX = 64 };

struct device_room {
	struct node *n;
	void (*changed)(struct node *n); /* there are other devices */
	char *dir;
	struct registration *registration;
	struct device_ledger ledger;
	struct plugin *plugins[PLUGINS_MAX];
	size_t plugins_count;
	struct list_link claims; /* claim.c */
	struct closing parts;    /* plugins that close, also while the room is open */
	void (*closed)(void *arg);
	void *closed_arg;
};

/* n, changed and dir are set, all else is zero. Errors as devices_new(). */
int device_room_open(struct device_room *d, struct err *err);
void device_room_close(struct device_room *d, void (*closed)(void *arg), void *arg);
void device_room_save(struct device_room *d);
struct plugin *device_room_plugin(const struct device_room *d, const char *resource); /* NULL: none is connected */

#endif
