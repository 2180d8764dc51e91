/* Claims: the keys that say which cluster address and node port is whose (admission/service_addresses.h) are brought in
 * line with the services: keys are made for services that have none, and taken away where no service is behind them any
 * more.
 *
 *     read all keys -> the cache is awaited at that revision -> compare -> one transaction per difference
 *
 * A service and its keys are written in one transaction, so what differs is old: written by hand, or restored. Every
 * change is bound to what was read, so that a service that comes meanwhile is not hurt. */
#include "api/server/duties/duty_int.h"

#include "api/server/admission/plugins/service_addresses.h"
#include "base/check.h"
#include "base/log.h"

#include <stdlib.h>

struct fix {
	struct slice key, value; /* value.ptr NULL: is deleted */
	int64_t revision;        /* of the key when it was read; 0: absent */
	struct slice service;    /* key of the service whose it becomes, and its revision */
	int64_t service_revision;
};

struct claims {
	struct duty_run *run;
	struct arena arena;
	struct store_request request;
	struct store_op reads[2];
	struct cache_wait wait;
	struct map wanted; /* key -> struct fix; what is left when all keys were seen is missing */
	struct fix *fixes;
	size_t count, cap, at;
	struct store_compare compares[2];
	struct store_op change;
};

static void finish(struct claims *k, const struct err *err)
{
	struct duty_run *r = k->run;
	struct err e = *err;
	if (k->count && !e.code)
		log_info("duties", "claims of services were mended", "changes=%zu", k->count);
	map_release(&k->wanted);
	arena_release(&k->arena);
	free(k->fixes);
	free(k);
	duty_done(r, &e);
}

/* ---- mending ---- */

static void mend_next(struct claims *k);

static void mended(struct store_request *req)
{
	struct claims *k = CONTAINER_OF(req, struct claims, request);
	struct err err = req->err;
	store_request_release(req);
	if (err.code) {
		finish(k, &err);
		return;
	}
	k->at++; /* a lost comparison: something has changed, the next run looks again */
	mend_next(k);
}

static struct store_compare is_at(struct slice key, int64_t revision)
{
	return (struct store_compare){
	        .keys = {.key = key}, .target = STORE_TARGET_MOD, .result = STORE_EQUAL, .number = revision};
}

static void mend_next(struct claims *k)
{
	struct err none = ERR_INIT;
	if (k->at == k->count) {
		finish(k, &none);
		return;
	}
	struct fix *f = &k->fixes[k->at];
	size_t n = 0;
	k->compares[n++] = is_at(f->key, f->revision);
	if (f->service.len)
		k->compares[n++] = is_at(f->service, f->service_revision);
	k->change = f->value.ptr ? (struct store_op){.type = STORE_OP_PUT, .put = {.key = f->key, .value = f->value}}
	                         : (struct store_op){.type = STORE_OP_DELETE, .del = {.keys = {.key = f->key}}};
	k->request = (struct store_request){.type = STORE_REQUEST_OP, .loop = k->run->server->loop, .done = mended};
	k->request.op.type = STORE_OP_TXN;
	k->request.op.txn = (struct store_txn){k->compares, n, &k->change, 1, NULL, 0};
	store_submit(k->run->server->store, &k->request);
}

/* ---- comparing ---- */

static void add_fix(struct claims *k, struct fix f)
{
	if (k->count == k->cap) {
		k->cap = k->cap ? k->cap * 2 : 16;
		k->fixes = xrealloc(k->fixes, k->cap * sizeof *k->fixes);
	}
	k->fixes[k->count++] = f;
}

struct service {
	struct claims *claims;
	struct object *object;
	const struct resource *resource;
};

static void want(void *arg, struct slice key)
{
	struct service *s = arg;
	struct claims *k = s->claims;
	if (map_get(&k->wanted, key)) /* two services have it: whoever was first keeps it */
		return;
	struct fix *f = ARENA_NEW(&k->arena, struct fix);
	key = (struct slice){arena_memdup(&k->arena, key.ptr, key.len), key.len};
	struct strbuf at = STRBUF_INIT;
	struct slice uid = object_span(s->object, s->object->uid);
	resource_storage_key(&at, s->resource, object_namespace(s->object), object_name(s->object));
	*f = (struct fix){.key = key,
	        .value = {arena_memdup(&k->arena, uid.ptr, uid.len), uid.len},
	        .service = {arena_memdup(&k->arena, at.data, at.len), at.len},
	        .service_revision = s->object->revision};
	strbuf_release(&at);
	map_put(&k->wanted, f->key, f);
}

static void want_all(struct claims *k)
{
	struct api_server *server = k->run->server;
	const struct resource *r = resource_find(SLICE(""), SLICE("v1"), SLICE("services"));
	struct cache_resource *cr = cache_resource(server->cache, r);
	struct arena a = ARENA_INIT; /* of one service: there may be ten thousand */
	for (struct omap_node *n = cr->objects.head[0]; n; n = omap_next(n)) {
		struct service s = {k, n->value, r->storage};
		struct json *tree = json_parse(&a, object_text(s.object), NULL, NULL);
		service_each_claim(server->services, &a, json_get(tree, "spec"), want, &s);
		arena_reset(&a);
	}
	arena_release(&a);
}

static void take_key(struct claims *k, const struct store_kv *kv)
{
	struct fix *f = map_get(&k->wanted, kv->key);
	CHECK(kv->key.len > 0);
	if (f) {
		map_del(&k->wanted, kv->key);
		return;
	}
	struct slice key = {arena_memdup(&k->arena, kv->key.ptr, kv->key.len), kv->key.len};
	add_fix(k, (struct fix){.key = key, .revision = kv->mod_revision});
}

static void compare(struct cache_wait *w)
{
	struct claims *k = CONTAINER_OF(w, struct claims, wait);
	CHECK(k->request.result.n_results == COUNT_OF(k->reads));
	want_all(k);
	for (size_t i = 0; i < COUNT_OF(k->reads); i++)
		for (size_t j = 0; j < k->request.result.results[i].n_kvs; j++)
			take_key(k, &k->request.result.results[i].kvs[j]);
	MAP_FOREACH (slot, &k->wanted)
		add_fix(k, *(struct fix *)slot->value);
	store_request_release(&k->request);
	mend_next(k);
}

/* ---- reading ---- */

static void keys_read(struct store_request *req)
{
	struct claims *k = CONTAINER_OF(req, struct claims, request);
	struct err err = req->err;
	if (err.code) {
		store_request_release(req);
		finish(k, &err);
		return;
	}
	k->wait = (struct cache_wait){.revision = req->revision, .reached = compare};
	cache_wait(k->run->server->cache, &k->wait);
}

void claims_run(struct duty_run *r)
{
	struct claims *k = xcalloc(1, sizeof *k);
	static const char *const prefixes[] = {SERVICE_IPS_PREFIX, NODE_PORTS_PREFIX};
	k->run = r;
	map_init(&k->wanted);
	for (size_t i = 0; i < COUNT_OF(prefixes); i++)
		k->reads[i] = (struct store_op){.type = STORE_OP_RANGE,
		        .range = {.keys = store_prefix_range(&k->arena, slice_of(prefixes[i]))}};
	k->request = (struct store_request){.type = STORE_REQUEST_OP, .loop = r->server->loop, .done = keys_read};
	k->request.op.type = STORE_OP_TXN;
	k->request.op.txn = (struct store_txn){.success = k->reads, .n_success = COUNT_OF(k->reads)};
	store_submit(r->server->store, &k->request);
}
