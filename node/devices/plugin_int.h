/* The connection to one device plugin. Loop's thread. */
#ifndef K3X_NODE_DEVICES_PLUGIN_INT_H
#define K3X_NODE_DEVICES_PLUGIN_INT_H

#include "node/devices/device_ledger_int.h"
#include "node/runtime/cri.h"
#include "node/runtime/proto/device_plugin.pb-c.h"

#define PLUGIN(name) V1beta1__##name

struct plugin;

struct plugin_options {
	struct loop *loop;
	const char *socket, *resource;
	bool has_preferred, needs_pre_start;
	/* It says which devices there are, now and whenever that changes. */
	void (*on_devices)(void *arg, struct plugin *p, const struct device *list, size_t count);
	void (*on_gone)(void *arg, struct plugin *p); /* once; it may be closed inside */
	void *arg;
};

/* Connects, and asks for its devices. */
struct plugin *plugin_new(const struct plugin_options *o);
/* Calls under way end with ERR_CANCELED first. closed(arg) on the loop, never inside. */
void plugin_close(struct plugin *p, void (*closed)(void *arg), void *arg);

const char *plugin_resource(const struct plugin *p);
bool plugin_has_preferred(const struct plugin *p);
bool plugin_needs_pre_start(const struct plugin *p);
/* As cri_call(); the method is of its service: "Allocate". */
void plugin_call(struct plugin *p, const char *method, const ProtobufCMessage *request,
        const ProtobufCMessageDescriptor *answer, cri_done_fn *done, void *arg);

#endif
