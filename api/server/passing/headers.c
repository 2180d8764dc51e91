/* See headers.h. */
#include "api/server/passing/headers.h"

#include "base/check.h"

static bool is_of_this_server(struct slice name)
{
	static const char *const names[] = {"host", "authorization", "expect"};
	return slice_is_any(name, names, COUNT_OF(names)) || slice_starts(name, "impersonate-") ||
	       slice_starts(name, "x-remote-") || slice_starts(name, "x-forwarded-");
}

void headers_add(struct header_list *l, const char *name, struct slice value)
{
	if (value.len)
		l->items[l->count++] = (struct http_header){slice_of(name), value};
}

/* Without an exchange there are no more than these. */
static void of_inside(struct call *c, size_t extra, struct header_list *ret)
{
	ret->items = ARENA_ARRAY(&c->arena, struct http_header, extra + 3);
	headers_add(ret, "accept", c->accept);
	headers_add(ret, "content-type", c->content_type);
	headers_add(ret, "user-agent", c->user_agent);
}

void headers_of_request(struct call *c, size_t extra, struct header_list *ret)
{
	const struct http_exchange *x = c->exchange;
	ret->count = 0;
	if (!x) {
		of_inside(c, extra, ret);
		return;
	}
	const struct http_request *r = http_request(x);
	struct slice connection = http_header(x, "connection");
	ret->items = ARENA_ARRAY(&c->arena, struct http_header, r->headers_count + extra + 1);
	for (size_t i = 0; i < r->headers_count; i++) {
		struct slice name = r->headers[i].name;
		if (!http_is_of_connection(name, connection) && !is_of_this_server(name))
			ret->items[ret->count++] = r->headers[i];
	}
}

bool headers_passes_back(struct slice name)
{
	static const char *const ours[] = {"date", "content-type", "audit-id", "x-kubernetes-pf-flowschema-uid",
	        "x-kubernetes-pf-prioritylevel-uid"};
	return !http_is_of_connection(name, SLICE_NULL) && !slice_is_any(name, ours, COUNT_OF(ours));
}
