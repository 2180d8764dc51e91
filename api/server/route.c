/* Paths to resources (Kubernetes API concepts, "Resource URIs"):
 *
 *     /api/v1/RESOURCE[/NAME[/SUB]]                        core group, cluster scope or all namespaces
 *     /api/v1/namespaces/NS/RESOURCE[/NAME[/SUB]]          core group, one namespace
 *     /apis/GROUP/VERSION/...                              the same for named groups
 *
 *     /api/v1/watch/...                                    the same with ?watch=true, an older way to say it
 *
 * "namespaces" is a resource itself, so /api/v1/namespaces/NS/status and .../finalize are its subresources. */
#include "api/server/route.h"

#include "base/wire/http.h"

enum { SEGMENTS_MAX = 16 };

struct segments {
	struct slice at[SEGMENTS_MAX];
	struct slice behind[SEGMENTS_MAX]; /* what follows it, as it was sent: "" or "/..." */
	size_t count;
	bool too_many;
};

static bool split(struct arena *a, struct slice path, struct segments *out)
{
	struct slice rest = path.len ? (struct slice){path.ptr + 1, path.len - 1} : SLICE_NULL;
	*out = (struct segments){0};
	while (rest.ptr && rest.len) {
		struct slice s = slice_cut(&rest, '/'), decoded;
		if (!s.len)
			continue;
		if (out->count == SEGMENTS_MAX) {
			out->too_many = true;
			return true;
		}
		if (!http_decode(a, s, false, &decoded))
			return false;
		const char *end = s.ptr + s.len;
		out->behind[out->count] = (struct slice){end, (size_t)(path.ptr + path.len - end)};
		out->at[out->count++] = decoded;
	}
	return true;
}

static int not_served(struct err *err)
{
	return err_set(err, ERR_NOT_FOUND, "the server could not find the requested resource");
}

static int find_sub(struct route *r, const struct segments *s, size_t at, struct err *err)
{
	if (s->count <= at)
		return 0;
	r->sub = resource_sub_find(r->resource, s->at[at]);
	if (!r->sub)
		return not_served(err);
	if (s->count > at + 1 && strcmp(r->sub->name, "proxy") != 0)
		return not_served(err);
	r->tail = s->behind[at];
	return 0;
}

/* at: index of the first segment behind the version. */
static int parse_resource(
        struct route *r, struct slice group, struct slice version, const struct segments *s, size_t at, struct err *err)
{
	size_t left = s->count - at;
	bool in_namespace = left >= 3 && slice_is(s->at[at], "namespaces") &&
	                    !(left == 3 && (slice_is(s->at[at + 2], "status") || slice_is(s->at[at + 2], "finalize")));
	if (in_namespace) {
		r->ns = s->at[at + 1];
		at += 2;
	}
	r->resource = resource_find(group, version, s->at[at]);
	if (!r->resource)
		return not_served(err);
	if (in_namespace && !r->resource->namespaced)
		return not_served(err);
	if (s->count > at + 1)
		r->name = s->at[at + 1];
	if (r->name.len && r->resource->namespaced && !r->ns.len)
		return not_served(err);
	r->is_resource = true;
	return find_sub(r, s, at + 2, err);
}

static int method_to_verb(struct route *r, struct slice method, bool wants_watch, struct err *err)
{
	bool one = r->name.len > 0;
	if (slice_is(method, "GET") || slice_is(method, "HEAD"))
		r->verb = wants_watch && !r->sub ? RESOURCE_WATCH : one ? RESOURCE_GET : RESOURCE_LIST;
	else if (slice_is(method, "POST"))
		r->verb = RESOURCE_CREATE;
	else if (slice_is(method, "PUT"))
		r->verb = RESOURCE_UPDATE;
	else if (slice_is(method, "PATCH"))
		r->verb = RESOURCE_PATCH;
	else if (slice_is(method, "DELETE"))
		r->verb = one ? RESOURCE_DELETE : RESOURCE_DELETECOLLECTION;
	else
		r->verb = 0;
	unsigned allowed = r->sub ? r->sub->verbs : r->resource->verbs;
	bool connects = r->sub && r->sub->is_connect;
	bool shape_fits = r->sub ? one
	                         : one == (r->verb != RESOURCE_LIST && r->verb != RESOURCE_CREATE &&
	                                          r->verb != RESOURCE_DELETECOLLECTION) ||
	                                   r->verb == RESOURCE_WATCH;
	if (connects || ((allowed & r->verb) && shape_fits))
		return 0;
	return err_set(err, ERR_METHOD, "the server does not allow this method on the requested resource");
}

int route_parse(
        struct arena *a, struct slice path, struct slice method, bool wants_watch, struct route *ret, struct err *err)
{
	struct segments s;
	*ret = (struct route){0};
	if (!split(a, path, &s))
		return err_set(err, ERR_INVAL, "path %.*s: broken percent escape", SLICE_FMT(path));
	size_t at;
	if (s.count >= 3 && slice_is(s.at[0], "api"))
		at = 2;
	else if (s.count >= 4 && slice_is(s.at[0], "apis"))
		at = 3;
	else
		return 0;
	struct slice group = at == 3 ? s.at[1] : SLICE(""), version = s.at[at - 1];
	bool is_watch_path = s.count > at + 1 && slice_is(s.at[at], "watch") && slice_is(method, "GET");
	int rc = parse_resource(ret, group, version, &s, at + is_watch_path, err);
	if (rc == 0 && s.too_many && !(ret->sub && strcmp(ret->sub->name, "proxy") == 0))
		return not_served(err);
	return rc == 0 ? method_to_verb(ret, method, wants_watch || is_watch_path, err) : rc;
}
