/* The endpoints of the `kubernetes` service: the addresses of all servers that are up.
 *
 * Each server keeps a key MASTERS/ADDRESS under a lease that it renews, so that the key of one that dies goes by
 * itself; each looks at all keys and writes Endpoints and EndpointSlice when they say something else. Nobody overwrites
 * what others have said, and who writes last writes the same. (Upstream's lease endpoint reconciler does it so.)
 *
 *     grant -> put the key -> [ renew -> read all keys -> compare -> write Endpoints -> write EndpointSlice ] every ten
 * seconds
 *                 ^--- the lease is gone ---'
 *
 * A lease lives longer than two renewals, so one that comes late costs nothing. */
#include "api/server/duties/duty_int.h"

#include "api/client/client.h"
#include "api/server/inproc.h"
#include "base/check.h"
#include "base/ip.h"
#include "base/log.h"
#include "base/wire/http.h"

#include <stdio.h>
#include <stdlib.h>

#define MASTERS "/registry/masterleases/"
enum { LEASE_S = 30, SERVERS_MAX = 64 };

struct endpoints {
	struct duty_run *run;
	struct store_request request;
	struct store_op put;
	int64_t lease; /* 0: none */
	char key[128], value[16];
	struct arena arena; /* of a run */
	struct client *client;
	struct client_request write;
	struct slice path;
	struct strbuf body;
	size_t step;
	bool creates; /* the object is not there: POST instead of PUT */
	struct slice addresses[SERVERS_MAX];
	size_t n_addresses;
	enum ip_family family; /* of this server's own, the cluster's primary one */
	int port;
	struct err err;
};

static void finish(struct endpoints *e)
{
	struct err err = e->err;
	e->err = ERR_INIT;
	arena_reset(&e->arena);
	duty_done(e->run, &err);
}

static void fail(struct endpoints *e, const struct err *err)
{
	e->err = *err;
	finish(e);
}

static void submit(struct endpoints *e, struct store_request req)
{
	e->request = req;
	e->request.loop = e->run->server->loop;
	store_submit(e->run->server->store, &e->request);
}

/* ---- writing the objects ---- */

static void append_addresses(struct endpoints *e, const char *each)
{
	for (size_t i = 0; i < e->n_addresses; i++) {
		const char *at = strstr(each, "%s");
		strbuf_adds(&e->body, i ? "," : "");
		strbuf_add(&e->body, each, (size_t)(at - each));
		strbuf_add_slice(&e->body, e->addresses[i]);
		strbuf_adds(&e->body, at + 2);
	}
}

static void endpoints_text(struct endpoints *e)
{
	strbuf_adds(&e->body, "{\"metadata\":{\"name\":\"kubernetes\",\"labels\":{\"endpointslice.kubernetes.io/"
	                      "skip-mirror\":\"true\"}},\"subsets\":[{\"addresses\":[");
	append_addresses(e, "{\"ip\":\"%s\"}");
	strbuf_addf(&e->body, "],\"ports\":[{\"name\":\"https\",\"port\":%d,\"protocol\":\"TCP\"}]}]}", e->port);
}

static void slice_text(struct endpoints *e)
{
	strbuf_adds(&e->body, "{\"metadata\":{\"name\":\"kubernetes\",\"labels\":{\"kubernetes.io/service-name\":"
	                      "\"kubernetes\"}},");
	strbuf_addf(&e->body, "\"addressType\":\"%s\",\"endpoints\":[", ip_family_name(e->family));
	append_addresses(e, "{\"addresses\":[\"%s\"],\"conditions\":{\"ready\":true}}");
	strbuf_addf(&e->body, "],\"ports\":[{\"name\":\"https\",\"port\":%d,\"protocol\":\"TCP\"}]}", e->port);
}

static const struct {
	const char *group, *plural, *path;
	void (*text)(struct endpoints *e);
} objects[] = {
        {"", "endpoints", "/api/v1/namespaces/default/endpoints", endpoints_text},
        {"discovery.k8s.io", "endpointslices", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices",
                slice_text},
};

static void write_next(struct endpoints *e);

static void client_closed(void *arg)
{
	struct endpoints *e = arg;
	e->client = NULL;
	finish(e);
}

static void object_written(struct client_request *req)
{
	struct endpoints *e = CONTAINER_OF(req, struct endpoints, write);
	bool is_missing = req->err.code == ERR_NOT_FOUND && !e->creates;
	if (req->err.code && !is_missing && req->err.code != ERR_EXISTS) {
		e->err = req->err;
		err_wrap(&e->err, "write %s/kubernetes", objects[e->step].path);
	}
	client_request_release(req);
	strbuf_release(&e->body);
	e->creates = is_missing;
	if (!is_missing)
		e->step++;
	write_next(e);
}

static void write_next(struct endpoints *e)
{
	CHECK(e->client && e->step <= COUNT_OF(objects));
	if (e->err.code || e->step == COUNT_OF(objects)) {
		client_close(e->client, client_closed, e);
		return;
	}
	const char *path = objects[e->step].path;
	objects[e->step].text(e);
	e->write = (struct client_request){.method = e->creates ? "POST" : "PUT",
	        .path = e->creates ? path : arena_printf(&e->arena, "%s/kubernetes", path),
	        .body = strbuf_slice(&e->body),
	        .done = object_written};
	client_send(e->client, &e->write);
}

/* ---- comparing ---- */

static struct json *present(struct endpoints *e, size_t i)
{
	const struct resource *r = resource_find_preferred(slice_of(objects[i].group), slice_of(objects[i].plural));
	struct object *o = cache_get(cache_resource(e->run->server->cache, r), SLICE("default/kubernetes"));
	return o ? json_parse(&e->arena, object_text(o), NULL, NULL) : NULL;
}

/* Do both objects list exactly these addresses, and the port? Compared as what would be written. */
static bool is_as_wanted(struct endpoints *e, size_t i)
{
	struct json *have = present(e, i);
	objects[i].text(e);
	struct json *want = json_parse(&e->arena, strbuf_slice(&e->body), NULL, NULL);
	strbuf_release(&e->body);
	const char *part = i ? "endpoints" : "subsets";
	return have && json_equal(json_get(have, part), json_get(want, part)) &&
	       (!i || json_equal(json_get(have, "ports"), json_get(want, "ports")));
}

static void keys_read(struct store_request *req)
{
	struct endpoints *e = CONTAINER_OF(req, struct endpoints, request);
	struct err err = req->err;
	size_t prefix = sizeof MASTERS - 1;
	e->n_addresses = 0;
	for (size_t i = 0; !err.code && i < req->result.n_kvs && e->n_addresses < SERVERS_MAX; i++) {
		struct slice key = req->result.kvs[i].key, address = {key.ptr + prefix, key.len - prefix};
		struct ip ip;
		if (ip_parse(address, &ip) && ip.family == e->family)
			e->addresses[e->n_addresses++] =
			        (struct slice){arena_memdup(&e->arena, address.ptr, address.len), address.len};
	}
	store_request_release(req);
	if (err.code) {
		fail(e, &err);
		return;
	}
	e->step = 0;
	while (e->step < COUNT_OF(objects) && is_as_wanted(e, e->step))
		e->step++;
	if (e->step == COUNT_OF(objects)) {
		finish(e);
		return;
	}
	e->client = api_server_client(e->run->server, e->run->server->loop, "system:apiserver", "system:masters");
	write_next(e);
}

static void read_keys(struct endpoints *e)
{
	struct store_request req = {.type = STORE_REQUEST_OP, .done = keys_read};
	req.op.type = STORE_OP_RANGE;
	req.op.range = (struct store_range){.keys = store_prefix_range(&e->arena, SLICE(MASTERS)),
	        .sort = STORE_SORT_ASCEND,
	        .sort_target = STORE_TARGET_KEY};
	submit(e, req);
}

/* ---- the key of this server ---- */

static void key_put(struct store_request *req)
{
	struct endpoints *e = CONTAINER_OF(req, struct endpoints, request);
	struct err err = req->err;
	store_request_release(req);
	if (err.code) {
		e->lease = 0;
		fail(e, &err);
	} else {
		read_keys(e);
	}
}

static void granted(struct store_request *req)
{
	struct endpoints *e = CONTAINER_OF(req, struct endpoints, request);
	struct err err = req->err;
	e->lease = err.code ? 0 : req->lease.id;
	store_request_release(req);
	if (err.code) {
		fail(e, &err);
		return;
	}
	struct store_request put = {.type = STORE_REQUEST_OP, .done = key_put};
	put.op.type = STORE_OP_PUT;
	put.op.put = (struct store_put){.key = slice_of(e->key), .value = slice_of(e->value), .lease = e->lease};
	submit(e, put);
}

static void grant(struct endpoints *e)
{
	struct store_request req = {.type = STORE_REQUEST_LEASE_GRANT, .done = granted};
	req.lease.ttl_s = LEASE_S;
	submit(e, req);
}

static void renewed(struct store_request *req)
{
	struct endpoints *e = CONTAINER_OF(req, struct endpoints, request);
	struct err err = req->err;
	store_request_release(req);
	if (err.code == ERR_NOT_FOUND)
		grant(e);
	else if (err.code)
		fail(e, &err);
	else
		read_keys(e);
}

void endpoints_run(struct duty_run *r)
{
	struct endpoints *e = r->state ? r->state : (r->state = xcalloc(1, sizeof *e));
	e->run = r;
	e->port = http_server_port(r->server->http);
	struct ip own = {.family = IP_V4};
	ip_parse(slice_of(r->server->options.advertise_address), &own);
	e->family = own.family;
	snprintf(e->key, sizeof e->key, MASTERS "%s", r->server->options.advertise_address);
	snprintf(e->value, sizeof e->value, "%d", e->port);
	if (!e->lease) {
		grant(e);
		return;
	}
	struct store_request req = {.type = STORE_REQUEST_LEASE_KEEPALIVE, .done = renewed};
	req.lease.id = e->lease;
	submit(e, req);
}

/* ---- goodbye ---- */

static void revoked(struct store_request *req)
{
	struct endpoints *e = CONTAINER_OF(req, struct endpoints, request);
	struct err none = ERR_INIT;
	store_request_release(req);
	arena_release(&e->arena);
	duty_done(e->run, &none);
}

/* The others need not wait for the lease to run out. */
void endpoints_leave(struct duty_run *r)
{
	struct endpoints *e = r->state;
	struct store_request req = {.type = STORE_REQUEST_LEASE_REVOKE, .done = revoked};
	CHECK(e != NULL && e->run == r);
	req.lease.id = e->lease;
	submit(e, req);
}
