/* See devices.h. The door: what the other files of the room do, for the worker and the Node's status. */
#include "node/devices/devices.h"

#include "base/check.h"
#include "base/json/json.h"
#include "base/mem/arena.h"
#include "node/devices/claim_int.h"
#include "node/ground/node_record.h"
#include "node/ground/pod_record.h"

#include <stdlib.h>

struct devices {
	struct device_room room;
	const struct numa *numa;
};

void devices_wish(const struct devices *d, const struct pod *p, const struct json *container, struct numa_wishes *w)
{
	if (container)
		device_claim_wish(&d->room, p, container, numa_all(d->numa), w);
	else
		device_claim_wish_all(&d->room, p, numa_all(d->numa), w);
}

enum devices_answer devices_take(
        struct devices *d, struct pod *p, const struct json *container, uint64_t nodes, struct err *err)
{
	LOOP_CHECK_OWNER(d->room.n->loop);
	enum claim_answer answer = device_claim_take(&d->room, p, container, nodes, err);
	return answer == CLAIM_TAKEN ? DEVICES_TAKEN : answer == CLAIM_PENDING ? DEVICES_PENDING : DEVICES_REFUSED;
}

void devices_give_back(struct devices *d, const struct pod *p)
{
	LOOP_CHECK_OWNER(d->room.n->loop);
	if (device_ledger_give_back(&d->room.ledger, p->uid))
		device_room_save(&d->room);
}

/* ---- into a container ---- */

static bool is_of(const struct device_grant *g, const struct pod *p, const char *container)
{
	return strcmp(g->uid, p->uid) == 0 && strcmp(g->container, container) == 0;
}

/* The list with room for more, in the arena. */
#define GROW(a, list, count, more) \
	do { \
		void *grown_ = arena_zalloc(a, ((count) + (more) + 1) * sizeof *(list)); \
		if (count) \
			memcpy(grown_, (list), (count) * sizeof *(list)); \
		(list) = grown_; \
	} while (0)

static void add_envs(struct arena *a, const PLUGIN(ContainerAllocateResponse) * m, CRI(ContainerConfig) * c)
{
	GROW(a, c->envs, c->n_envs, m->n_envs);
	for (size_t i = 0; i < m->n_envs; i++) {
		CRI(KeyValue) *v = ARENA_NEW(a, CRI(KeyValue));
		runtime__v1__key_value__init(v);
		v->key = arena_strdup(a, m->envs[i]->key);
		v->value = arena_strdup(a, m->envs[i]->value);
		c->envs[c->n_envs++] = v;
	}
	GROW(a, c->annotations, c->n_annotations, m->n_annotations);
	for (size_t i = 0; i < m->n_annotations; i++) {
		CRI(Pair) *v = ARENA_NEW(a, CRI(Pair));
		runtime__v1__pair__init(v);
		v->key = arena_strdup(a, m->annotations[i]->key);
		v->value = arena_strdup(a, m->annotations[i]->value);
		c->annotations[c->n_annotations++] = v;
	}
}

static void add_files(struct arena *a, const PLUGIN(ContainerAllocateResponse) * m, CRI(ContainerConfig) * c)
{
	GROW(a, c->mounts, c->n_mounts, m->n_mounts);
	for (size_t i = 0; i < m->n_mounts; i++) {
		CRI(Mount) *v = ARENA_NEW(a, CRI(Mount));
		runtime__v1__mount__init(v);
		v->container_path = arena_strdup(a, m->mounts[i]->container_path);
		v->host_path = arena_strdup(a, m->mounts[i]->host_path);
		v->readonly = m->mounts[i]->read_only;
		c->mounts[c->n_mounts++] = v;
	}
	GROW(a, c->devices, c->n_devices, m->n_devices);
	for (size_t i = 0; i < m->n_devices; i++) {
		CRI(Device) *v = ARENA_NEW(a, CRI(Device));
		runtime__v1__device__init(v);
		v->container_path = arena_strdup(a, m->devices[i]->container_path);
		v->host_path = arena_strdup(a, m->devices[i]->host_path);
		v->permissions = arena_strdup(a, m->devices[i]->permissions);
		c->devices[c->n_devices++] = v;
	}
	GROW(a, c->cdi_devices, c->n_cdi_devices, m->n_cdi_devices);
	for (size_t i = 0; i < m->n_cdi_devices; i++) {
		CRI(CDIDevice) *v = ARENA_NEW(a, CRI(CDIDevice));
		runtime__v1__cdidevice__init(v);
		v->name = arena_strdup(a, m->cdi_devices[i]->name);
		c->cdi_devices[c->n_cdi_devices++] = v;
	}
}

void devices_apply(
        const struct devices *d, const struct pod *p, const char *container, struct arena *a, CRI(ContainerConfig) * c)
{
	const struct device_ledger *l = &d->room.ledger;
	for (size_t i = 0; i < l->grants_count; i++) {
		const struct device_grant *g = l->grants[i];
		if (!is_of(g, p, container) || !g->answer.len)
			continue;
		PLUGIN(ContainerAllocateResponse) *m = v1beta1__container_allocate_response__unpack(
		        NULL, g->answer.len, (const uint8_t *)g->answer.data);
		if (!m)
			continue; /* it was packed by us; a checkpoint was changed by hand */
		add_envs(a, m, c);
		add_files(a, m, c);
		v1beta1__container_allocate_response__free_unpacked(m, NULL);
	}
}

/* ---- before a container ---- */

struct pre_start {
	unsigned left;
	struct err err; /* the first */
	void (*done)(void *arg, const struct err *err);
	void *arg;
};

static void pre_started(void *arg, const void *answer, const struct err *err)
{
	struct pre_start *s = arg;
	if (err && !s->err.code)
		s->err = *err;
	if (--s->left)
		return;
	s->done(s->arg, s->err.code ? &s->err : NULL);
	free(s);
}

bool devices_pre_start(struct devices *d, const struct pod *p, const char *container,
        void (*done)(void *arg, const struct err *err), void *arg)
{
	const struct device_ledger *l = &d->room.ledger;
	struct pre_start *s = NULL;
	LOOP_CHECK_OWNER(d->room.n->loop);
	for (size_t i = 0; i < l->grants_count; i++) {
		const struct device_grant *g = l->grants[i];
		struct plugin *plugin = is_of(g, p, container) ? device_room_plugin(&d->room, g->resource) : NULL;
		PLUGIN(PreStartContainerRequest) q = V1BETA1__PRE_START_CONTAINER_REQUEST__INIT;
		if (!plugin || !plugin_needs_pre_start(plugin))
			continue;
		s = s ? s : xcalloc(1, sizeof *s);
		s->left++;
		s->done = done;
		s->arg = arg;
		q.ids = g->ids;
		q.n_ids = g->ids_count;
		plugin_call(plugin, "PreStartContainer", &q.base, &v1beta1__empty__descriptor, pre_started, s);
	}
	return s != NULL;
}

/* ---- who asks ---- */

static uint64_t nodes_of(const struct devices *d, const char *resource, const char *id)
{
	const struct device_resource *r = device_ledger_resource(&d->room.ledger, slice_of(resource));
	for (size_t i = 0; r && i < r->count; i++)
		if (strcmp(r->devices[i].id, id) == 0)
			return r->devices[i].nodes;
	return 0;
}

void devices_each_of(const struct devices *d, const struct pod *p, const char *container,
        void (*fn)(void *arg, const struct device_use *use), void *arg)
{
	const struct device_ledger *l = &d->room.ledger;
	for (size_t i = 0; i < l->grants_count; i++) {
		const struct device_grant *g = l->grants[i];
		for (size_t k = 0; is_of(g, p, container) && g->is_answered && k < g->ids_count; k++)
			fn(arg, &(struct device_use){g->resource, g->ids[k], nodes_of(d, g->resource, g->ids[k])});
	}
}

void devices_each(const struct devices *d, void (*fn)(void *arg, const struct device_use *use), void *arg)
{
	const struct device_ledger *l = &d->room.ledger;
	for (size_t i = 0; i < l->resources_count; i++) {
		const struct device_resource *r = l->resources[i];
		for (size_t k = 0; r->is_connected && k < r->count; k++)
			if (r->devices[k].is_healthy)
				fn(arg, &(struct device_use){r->name, r->devices[k].id, r->devices[k].nodes});
	}
}

/* ---- the Node's status ---- */

void devices_status(const struct devices *d, struct arena *a, struct json *capacity, struct json *allocatable)
{
	uint64_t now = loop_now_ms(d->room.n->loop);
	for (size_t i = 0; i < d->room.ledger.resources_count; i++) {
		const struct device_resource *r = d->room.ledger.resources[i];
		json_set_cstr(a, capacity, r->name, arena_printf(a, "%zu", device_resource_capacity(r, now)));
		json_set_cstr(a, allocatable, r->name, arena_printf(a, "%zu", device_resource_allocatable(r)));
	}
}

/* ---- life ---- */

int devices_new(
        struct node *n, const struct numa *numa, void (*changed)(struct node *n), struct devices **ret, struct err *err)
{
	LOOP_CHECK_OWNER(n->loop);
	struct devices *d = xcalloc(1, sizeof *d);
	d->room.n = n;
	d->numa = numa;
	d->room.changed = changed;
	d->room.dir = n->o.is_default_data_dir ? xstrdup("/var/lib/kubelet/device-plugins")
	                                       : xprintf("%s/agent/kubelet/device-plugins", n->o.data_dir);
	list_init(&d->room.claims);
	closing_hold(&d->room.parts); /* it is open */
	if (device_room_open(&d->room, err) != 0) {
		devices_free(d);
		return err_wrap(err, "device plugins");
	}
	*ret = d;
	return 0;
}

void devices_close(struct devices *d, void (*closed)(void *arg), void *arg)
{
	device_room_close(&d->room, closed, arg);
	closing_part_done(&d->room.parts);
}

void devices_free(struct devices *d)
{
	device_claims_free(&d->room);
	device_ledger_release(&d->room.ledger);
	free(d->room.dir);
	free(d);
}
