/* See device_ledger_int.h. A device is free when it is healthy, its plugin is there, and no grant has it; what an init
 * container had, later containers of the same pod may have too. The checkpoint holds the grants with the plugins'
 * answers, so that a container that starts again after we did gets the same devices, and the names of the resources, so
 * that they show as none until their plugins come back.
 *
 * What can go wrong: a checkpoint that is not ours, or in which a device is two pods': it is refused whole. */
#include "node/devices/device_ledger_int.h"

#include "base/base64.h"
#include "base/check.h"

#include <stdlib.h>

/* ---- resources ---- */

static void drop_devices(struct device_resource *r)
{
	for (size_t i = 0; i < r->count; i++)
		free(r->devices[i].id);
	free(r->devices);
	r->devices = NULL;
	r->count = 0;
}

static void grant_free(struct device_grant *g)
{
	for (size_t i = 0; i < g->ids_count; i++)
		free(g->ids[i]);
	free(g->ids);
	strbuf_release(&g->answer);
	free(g->uid);
	free(g->container);
	free(g->resource);
	free(g);
}

void device_ledger_release(struct device_ledger *l)
{
	for (size_t i = 0; i < l->resources_count; i++) {
		drop_devices(l->resources[i]);
		free(l->resources[i]->name);
		free(l->resources[i]);
	}
	for (size_t i = 0; i < l->grants_count; i++)
		grant_free(l->grants[i]);
	free(l->resources);
	free(l->grants);
	*l = (struct device_ledger){.grants_count = 0};
}

struct device_resource *device_ledger_resource(const struct device_ledger *l, struct slice name)
{
	for (size_t i = 0; i < l->resources_count; i++)
		if (slice_is(name, l->resources[i]->name))
			return l->resources[i];
	return NULL;
}

struct device_resource *device_ledger_need(struct device_ledger *l, struct slice name)
{
	struct device_resource *r = device_ledger_resource(l, name);
	if (r)
		return r;
	CHECK(name.len);
	r = xcalloc(1, sizeof *r);
	r->name = xmemdup(name.ptr, name.len);
	l->resources = xrealloc(l->resources, (l->resources_count + 1) * sizeof(void *));
	return l->resources[l->resources_count++] = r;
}

static int by_id(const void *a, const void *b)
{
	return strcmp(((const struct device *)a)->id, ((const struct device *)b)->id);
}

void device_resource_set(struct device_resource *r, const struct device *list, size_t count)
{
	drop_devices(r);
	r->devices = xcalloc(count + 1, sizeof *r->devices);
	for (size_t i = 0; i < count; i++) {
		bool twice = false;
		for (size_t k = 0; k < r->count; k++)
			twice = twice || strcmp(r->devices[k].id, list[i].id) == 0;
		if (!twice)
			r->devices[r->count++] =
			        (struct device){xstrdup(list[i].id), list[i].is_healthy, list[i].nodes};
	}
	qsort(r->devices, r->count, sizeof *r->devices, by_id);
}

size_t device_resource_capacity(const struct device_resource *r, uint64_t now_ms)
{
	return r->is_connected || now_ms - r->gone_ms < DEVICE_GONE_MS ? r->count : 0;
}

size_t device_resource_allocatable(const struct device_resource *r)
{
	size_t n = 0;
	for (size_t i = 0; r->is_connected && i < r->count; i++)
		n += r->devices[i].is_healthy;
	return n;
}

/* ---- who has what ---- */

static bool has_id(const struct device_grant *g, const char *id)
{
	for (size_t i = 0; i < g->ids_count; i++)
		if (strcmp(g->ids[i], id) == 0)
			return true;
	return false;
}

enum hold { HOLD_NONE, HOLD_OWN_GIVEN_ON, HOLD_TAKEN };

/* A device that an init container gave on, and that a later one took, is taken. */
static enum hold hold_of(const struct device_ledger *l, const char *uid, struct slice resource, const char *id)
{
	enum hold h = HOLD_NONE;
	for (size_t i = 0; i < l->grants_count; i++) {
		const struct device_grant *g = l->grants[i];
		if (!slice_is(resource, g->resource) || !has_id(g, id))
			continue;
		if (strcmp(g->uid, uid) != 0 || !g->gives_on)
			return HOLD_TAKEN;
		h = HOLD_OWN_GIVEN_ON;
	}
	return h;
}

struct device_candidates device_ledger_candidates(
        const struct device_ledger *l, struct arena *a, const char *uid, struct slice resource, uint64_t nodes)
{
	const struct device_resource *r = device_ledger_resource(l, resource);
	size_t n = r && r->is_connected ? r->count : 0;
	struct device_candidates c = {.ids = ARENA_ARRAY(a, const char *, n + 1)};
	enum { OWN, NEAR, FAR };
	for (int pass = OWN; pass <= FAR; pass++) {
		for (size_t i = 0; i < n; i++) {
			const struct device *d = &r->devices[i];
			enum hold h = hold_of(l, uid, resource, d->id);
			int its = h == HOLD_OWN_GIVEN_ON ? OWN : d->nodes & nodes ? NEAR : FAR;
			if (d->is_healthy && h != HOLD_TAKEN && its == pass)
				c.ids[c.count++] = arena_strdup(a, d->id);
		}
		if (pass == OWN)
			c.own = c.count;
		else if (pass == NEAR)
			c.near = c.count - c.own;
	}
	return c;
}

size_t device_candidates_narrow(const struct device_candidates *c, size_t wanted, size_t *ret_must)
{
	CHECK(c->own + c->near <= c->count);
	size_t own = c->own < wanted ? c->own : wanted, must = own + c->near < wanted ? own + c->near : wanted;
	bool is_near_enough = c->near && wanted - own < c->near;
	*ret_must = is_near_enough ? own : must;
	return is_near_enough ? c->own + c->near : c->count;
}

void device_ledger_wish(const struct device_ledger *l, const char *uid, struct slice resource, size_t wanted,
        uint64_t all_nodes, struct numa_wishes *w)
{
	const struct device_resource *r = device_ledger_resource(l, resource);
	size_t n = r ? r->count : 0;
	struct numa_unit *units = ARENA_ARRAY(w->arena, struct numa_unit, n + 1);
	bool any = false;
	for (size_t i = 0; i < n; i++) {
		const struct device *d = &r->devices[i];
		enum hold h = hold_of(l, uid, resource, d->id);
		bool may = r->is_connected && d->is_healthy;
		any = any || d->nodes;
		units[i] = (struct numa_unit){d->nodes, may && h == HOLD_NONE, may && h == HOLD_OWN_GIVEN_ON};
	}
	if (any)
		numa_wish_add_units(w, all_nodes, units, n, wanted);
}

struct device_grant *device_ledger_grant(struct device_ledger *l, const char *uid, struct slice container,
        struct slice resource, const char *const *ids, size_t count, bool gives_on)
{
	struct device_grant *g = xcalloc(1, sizeof *g);
	CHECK(*uid && !device_ledger_of(l, uid, container, resource));
	*g = (struct device_grant){.uid = xstrdup(uid),
	        .container = xmemdup(container.ptr, container.len),
	        .resource = xmemdup(resource.ptr, resource.len),
	        .ids = xcalloc(count + 1, sizeof(char *)),
	        .ids_count = count,
	        .gives_on = gives_on};
	for (size_t i = 0; i < count; i++)
		g->ids[i] = xstrdup(ids[i]);
	l->grants = xrealloc(l->grants, (l->grants_count + 1) * sizeof(void *));
	return l->grants[l->grants_count++] = g;
}

struct device_grant *device_ledger_of(
        const struct device_ledger *l, const char *uid, struct slice container, struct slice resource)
{
	for (size_t i = 0; i < l->grants_count; i++) {
		struct device_grant *g = l->grants[i];
		if (strcmp(g->uid, uid) == 0 && slice_is(container, g->container) && slice_is(resource, g->resource))
			return g;
	}
	return NULL;
}

bool device_ledger_give_back(struct device_ledger *l, const char *uid)
{
	size_t kept = 0, had = l->grants_count;
	for (size_t i = 0; i < had; i++)
		if (strcmp(l->grants[i]->uid, uid) == 0)
			grant_free(l->grants[i]);
		else
			l->grants[kept++] = l->grants[i];
	l->grants_count = kept;
	return kept != had;
}

/* ---- the checkpoint ---- */

void device_ledger_write(const struct device_ledger *l, struct strbuf *out)
{
	struct arena a = ARENA_INIT;
	struct json *o = json_new(&a, JSON_OBJECT), *names = json_need(&a, o, "resources", JSON_ARRAY),
	            *grants = json_need(&a, o, "grants", JSON_ARRAY);
	for (size_t i = 0; i < l->resources_count; i++)
		json_append(names, json_new_cstr(&a, l->resources[i]->name));
	for (size_t i = 0; i < l->grants_count; i++) {
		const struct device_grant *g = l->grants[i];
		if (!g->is_answered)
			continue;
		struct json *it = json_new(&a, JSON_OBJECT), *ids = json_need(&a, it, "devices", JSON_ARRAY);
		json_set_cstr(&a, it, "podUID", g->uid);
		json_set_cstr(&a, it, "container", g->container);
		json_set_cstr(&a, it, "resource", g->resource);
		json_set_bool(&a, it, "init", g->gives_on);
		for (size_t k = 0; k < g->ids_count; k++)
			json_append(ids, json_new_cstr(&a, g->ids[k]));
		json_set_str(&a, it, "answer", base64_encode(&a, strbuf_slice(&g->answer)));
		json_append(grants, it);
	}
	json_write(out, o);
	arena_release(&a);
}

static int read_grant(struct device_ledger *l, struct arena *a, const struct json *it, struct err *err)
{
	const struct json *list = json_get(it, "devices");
	const char **ids = ARENA_ARRAY(a, const char *, (list ? list->count : 0) + 1),
	           *uid = json_cstr(a, json_get(it, "podUID"));
	struct slice container = json_get_str(it, "container"), resource = json_get_str(it, "resource"),
	             answer = json_get_str(it, "answer");
	size_t n = 0;
	if (!*uid || !container.len || !resource.len || device_ledger_of(l, uid, container, resource))
		return err_set(err, ERR_INVAL, "a grant lacks a name, or is there twice");
	JSON_FOREACH (id, list) {
		ids[n] = json_cstr(a, id);
		if (hold_of(l, uid, resource, ids[n]) == HOLD_TAKEN)
			return err_set(err, ERR_INVAL, "device %s is given out twice", ids[n]);
		n++;
	}
	struct device_grant *g =
	        device_ledger_grant(l, uid, container, resource, ids, n, json_get_bool(it, "init", false));
	struct slice bytes = SLICE_NULL;
	if (answer.len && !base64_decode(a, answer, &bytes))
		return err_set(err, ERR_INVAL, "a plugin's answer is no base64");
	strbuf_add_slice(&g->answer, bytes);
	g->is_answered = true;
	return 0;
}

int device_ledger_read(struct device_ledger *l, struct slice text, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct json *o = json_parse(&a, text, NULL, err);
	CHECK(!l->grants_count);
	if (o && !json_is(o, JSON_OBJECT))
		err_set(err, ERR_INVAL, "it is no object");
	JSON_FOREACH (it, err->code ? NULL : json_get(o, "resources"))
		if (json_str(it).len)
			device_ledger_need(l, json_str(it));
	JSON_FOREACH (it, err->code ? NULL : json_get(o, "grants"))
		if (read_grant(l, &a, it, err) != 0)
			break;
	if (err->code)
		device_ledger_release(l);
	arena_release(&a);
	return err->code;
}
