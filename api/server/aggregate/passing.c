/* A request on its way to an aggregated API server, which believes this one's certificate and therefore what the
 * headers say of who asks. Upstream: kube-aggregator pkg/apiserver/handler_proxy.go. */
#include "api/server/aggregate/aggregate_int.h"
#include "api/server/aggregate/remote_route.h"

#include "api/server/answer.h"
#include "api/server/passing/forward.h"
#include "api/server/passing/headers.h"
#include "base/check.h"

bool aggregate_route(struct aggregator *g, struct call *c, struct err *err)
{
	struct slice rest = c->path;
	slice_cut(&rest, '/');
	if (!slice_is(slice_cut(&rest, '/'), "apis"))
		return false;
	struct slice group = slice_cut(&rest, '/'), version = slice_cut(&rest, '/');
	if (!aggregate_find(g, group, version))
		return false;
	return remote_route(&c->arena, c->path, c->method, call_param_bool(c, "watch"), &c->route, err);
}

int aggregate_check(struct aggregator *g, struct slice group, struct slice version, struct err *err)
{
	const struct api_service *v = aggregate_find(g, group, version);
	if (!v || v->is_available)
		return 0;
	return err_set(err, ERR_UNAVAILABLE, "service unavailable: %.*s is served by %.*s/%.*s: %s", SLICE_FMT(v->name),
	        SLICE_FMT(v->service_ns), SLICE_FMT(v->service), v->was_asked ? v->message : "it was not asked yet");
}

/* ---- who asks ---- */

/* A key of extra as a header's name: lower case, what may not stand there percent-encoded. */
static const char *extra_header(struct arena *a, struct slice key)
{
	struct strbuf b = STRBUF_INIT;
	strbuf_adds(&b, "x-remote-extra-");
	for (size_t i = 0; i < key.len; i++) {
		unsigned char c = (unsigned char)key.ptr[i];
		bool is_upper = c >= 'A' && c <= 'Z';
		bool is_plain = is_upper || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || strchr("-._", c);
		if (is_plain && c)
			strbuf_addc(&b, (char)(is_upper ? c - 'A' + 'a' : c));
		else
			strbuf_addf(&b, "%%%02x", c);
	}
	const char *name = arena_strdup(a, strbuf_cstr(&b));
	strbuf_release(&b);
	return name;
}

static size_t count_extras(const struct user *u)
{
	size_t n = 0;
	for (const struct user_extra *e = u->extras; e; e = e->next)
		n++;
	return n;
}

static void add_user(struct call *c, struct header_list *headers)
{
	const struct user *u = c->user;
	headers_add(headers, "x-remote-user", u->name);
	for (size_t i = 0; i < u->n_groups; i++)
		headers_add(headers, "x-remote-group", u->groups[i]);
	for (const struct user_extra *e = u->extras; e; e = e->next)
		headers_add(headers, extra_header(&c->arena, e->key), e->value);
}

/* ---- passing on ---- */

static const char *protocol_of(struct call *c)
{
	if (!c->exchange || !http_wants_upgrade(c->exchange, NULL))
		return NULL;
	return arena_printf(&c->arena, "%.*s", SLICE_FMT(http_header(c->exchange, "upgrade")));
}

static void pass(struct call *c, struct api_service *v)
{
	struct forward *f = ARENA_NEW(&c->arena, struct forward);
	struct header_list headers;
	struct err err = ERR_INIT;
	if (aggregate_check(v->all, v->group, v->version, &err) != 0 ||
	        api_service_connect(v, &c->arena, &f->client, &err) != 0) {
		call_respond_err(c, &err);
		return;
	}
	headers_of_request(c, 1 + c->user->n_groups + count_extras(c->user), &headers);
	add_user(c, &headers);
	f->target =
	        arena_printf(&c->arena, "%.*s%s%.*s", SLICE_FMT(c->path), c->query.len ? "?" : "", SLICE_FMT(c->query));
	f->headers = headers.items;
	f->headers_count = headers.count;
	f->upgrade = protocol_of(c);
	forward_start(f, c);
}

void aggregate_pass(struct call *c)
{
	const struct resource *r = c->route.resource;
	struct api_service *v = aggregate_find(c->server->aggregator, slice_of(r->group), slice_of(r->version));
	struct err err = ERR_INIT;
	LOOP_CHECK_OWNER(c->loop);
	if (v) {
		pass(c, v);
		return;
	}
	err_set(&err, ERR_NOT_FOUND, "the server could not find the requested resource"); /* it is gone meanwhile */
	call_respond_err(c, &err);
}

bool aggregate_openapi(struct call *c, struct slice path)
{
	struct slice rest = path, first = slice_cut(&rest, '/'), group = slice_cut(&rest, '/');
	struct api_service *v = slice_is(first, "apis") ? aggregate_find(c->server->aggregator, group, rest) : NULL;
	if (v)
		pass(c, v);
	return v != NULL;
}
