/* See remote_route.h. */
#include "api/server/aggregate/remote_route.h"

#include "base/check.h"
#include "base/wire/http.h"

enum { SEGMENTS_MAX = 8, GROUP = 1, VERSION, FIRST };

/* Decoded, as many as matter. */
static size_t split(struct arena *a, struct slice path, struct slice *ret)
{
	size_t n = 0;
	while (path.len && n < SEGMENTS_MAX) {
		struct slice s = slice_cut(&path, '/');
		if (s.len && !http_decode(a, s, false, &ret[n++]))
			return 0;
	}
	return n;
}

static const char *text(struct arena *a, struct slice s)
{
	return arena_memdup(a, s.ptr, s.len);
}

static enum resource_verb verb_of(struct slice method, bool is_one, bool wants_watch)
{
	if (slice_is(method, "GET") || slice_is(method, "HEAD"))
		return wants_watch ? RESOURCE_WATCH : is_one ? RESOURCE_GET : RESOURCE_LIST;
	return slice_is(method, "POST")     ? RESOURCE_CREATE
	       : slice_is(method, "PUT")    ? RESOURCE_UPDATE
	       : slice_is(method, "PATCH")  ? RESOURCE_PATCH
	       : slice_is(method, "DELETE") ? is_one ? RESOURCE_DELETE : RESOURCE_DELETECOLLECTION
	                                    : 0;
}

static struct resource *make_row(struct arena *a, struct slice group, struct slice version, struct slice plural)
{
	static const char *const none[] = {NULL};
	struct resource *r = ARENA_NEW(a, struct resource);
	r->group = text(a, group);
	r->version = text(a, version);
	r->api_version = arena_printf(a, "%s/%s", r->group, r->version);
	r->plural = r->singular = text(a, plural);
	r->kind = r->list_kind = "";
	r->short_names = r->categories = none;
	r->storage = r;
	r->verbs = RESOURCE_VERBS_ALL;
	r->is_remote = true;
	return r;
}

static struct resource_sub *make_sub(struct arena *a, const struct resource *r, struct slice name)
{
	struct resource_sub *sub = ARENA_NEW(a, struct resource_sub);
	*sub = (struct resource_sub){.name = text(a, name),
	        .group = r->group,
	        .version = r->version,
	        .kind = "",
	        .verbs = RESOURCE_VERBS_ALL};
	return sub;
}

bool remote_route(
        struct arena *a, struct slice path, struct slice method, bool wants_watch, struct route *ret, struct err *err)
{
	struct slice s[SEGMENTS_MAX];
	size_t n = split(a, path, s), at = FIRST;
	if (n <= FIRST || !slice_is(s[0], "apis"))
		return false;
	*ret = (struct route){.is_resource = true};
	if (slice_is(s[at], "watch") && n > at + 1) {
		wants_watch = true;
		at++;
	}
	if (slice_is(s[at], "namespaces") && n > at + 2) {
		ret->ns = s[at + 1];
		at += 2;
	}
	struct resource *r = make_row(a, s[GROUP], s[VERSION], s[at]);
	r->namespaced = ret->ns.len > 0;
	ret->resource = r;
	if (n > at + 1)
		ret->name = s[at + 1];
	if (n > at + 2)
		ret->sub = make_sub(a, r, s[at + 2]);
	ret->verb = verb_of(method, ret->name.len > 0, wants_watch);
	if (!ret->verb)
		err_set(err, ERR_METHOD, "the server does not allow this method on the requested resource");
	return true;
}
