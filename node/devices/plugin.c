/* See plugin_int.h. The gRPC client is the one that speaks to the runtime. A plugin lives as long as its stream of
 * devices: when that ends, whatever the reason, it is gone, and registers anew when it comes back.
 *
 * What can go wrong: a message that cannot be read, or has more devices than anybody has: the plugin counts as gone; a
 * call that is not answered in its time: its caller is told. */
#include "node/devices/plugin_int.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem/arena.h"
#include "node/numa/numa.h"

#include <stdlib.h>

enum { CALL_MS = 60000 };

#define SERVICE "/v1beta1.DevicePlugin/"

struct plugin {
	struct plugin_options o;
	char *resource;
	struct cri *cri;
	struct cri_call *stream; /* NULL: gone */
	void (*closed)(void *arg);
	void *closed_arg;
};

static void gone(struct plugin *p, const char *why)
{
	log_warn("node", "a device plugin is gone", "resource=%s why=\"%s\"", p->resource, why);
	p->o.on_gone(p->o.arg, p);
}

/* A node of memory that no machine has is none. */
static uint64_t nodes_of(const PLUGIN(Device) * d)
{
	uint64_t nodes = 0;
	for (size_t i = 0; d->topology && i < d->topology->n_nodes; i++)
		if (d->topology->nodes[i]->id >= 0 && d->topology->nodes[i]->id < NUMA_NODES_MAX)
			nodes |= UINT64_C(1) << d->topology->nodes[i]->id;
	return nodes;
}

static void take_devices(struct plugin *p, const PLUGIN(ListAndWatchResponse) * m)
{
	struct device *list = xcalloc(m->n_devices + 1, sizeof *list);
	size_t n = 0;
	for (size_t i = 0; i < m->n_devices; i++)
		if (m->devices[i]->id[0])
			list[n++] = (struct device){m->devices[i]->id, strcmp(m->devices[i]->health, "Healthy") == 0,
			        nodes_of(m->devices[i])};
	p->o.on_devices(p->o.arg, p, list, n);
	free(list);
}

static void told(void *arg, struct slice message, const struct err *err)
{
	struct plugin *p = arg;
	if (err) {
		p->stream = NULL;
		gone(p, err->msg);
		return;
	}
	PLUGIN(ListAndWatchResponse) *m =
	        v1beta1__list_and_watch_response__unpack(NULL, message.len, (const uint8_t *)message.ptr);
	if (!m || m->n_devices > NODE_PLUGIN_DEVICES_MAX) {
		cri_forget(TAKE(p->stream));
		gone(p, m ? "it has too many devices" : "its devices cannot be read");
	} else {
		take_devices(p, m);
	}
	if (m)
		v1beta1__list_and_watch_response__free_unpacked(m, NULL);
}

struct plugin *plugin_new(const struct plugin_options *o)
{
	LOOP_CHECK_OWNER(o->loop);
	CHECK(o->on_devices && o->on_gone);
	struct plugin *p = xcalloc(1, sizeof *p);
	PLUGIN(Empty) nothing = V1BETA1__EMPTY__INIT;
	p->o = *o;
	p->resource = xstrdup(o->resource);
	p->cri = cri_new(o->loop, o->socket);
	p->stream = cri_stream(p->cri, SERVICE "ListAndWatch", &nothing.base, told, p);
	return p;
}

static void cri_closed(void *arg)
{
	struct plugin *p = arg;
	void (*closed)(void *) = p->closed;
	void *closed_arg = p->closed_arg;
	free(p->resource);
	free(p);
	closed(closed_arg);
}

void plugin_close(struct plugin *p, void (*closed)(void *arg), void *arg)
{
	LOOP_CHECK_OWNER(p->o.loop);
	p->closed = closed;
	p->closed_arg = arg;
	if (p->stream)
		cri_forget(TAKE(p->stream));
	cri_close(p->cri, cri_closed, p);
}

const char *plugin_resource(const struct plugin *p)
{
	return p->resource;
}

bool plugin_has_preferred(const struct plugin *p)
{
	return p->o.has_preferred;
}

bool plugin_needs_pre_start(const struct plugin *p)
{
	return p->o.needs_pre_start;
}

void plugin_call(struct plugin *p, const char *method, const ProtobufCMessage *request,
        const ProtobufCMessageDescriptor *answer, cri_done_fn *done, void *arg)
{
	char path[96];
	snprintf(path, sizeof path, SERVICE "%s", method);
	cri_call(p->cri, path, request, answer, CALL_MS, done, arg);
}
