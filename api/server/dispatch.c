/* The steps of a request, in order: authenticated by the transport, then
 *
 *     query -> route -> negotiate -> authorize -> handler
 *
 * Handlers answer now or later; nothing here waits. */
#include "api/server/server_int.h"

/* Authorization is all or nothing until RBAC is built: system:masters may do everything, others nothing but look at
 * what they are. */
static int authorize(struct call *c, struct err *err)
{
	const struct route *r = &c->route;
	if (c->user.is_master)
		return 0;
	if (r->is_resource && r->verb == RESOURCE_CREATE &&
	        (!strcmp(r->resource->plural, "selfsubjectreviews") ||
	                !strcmp(r->resource->plural, "selfsubjectaccessreviews") ||
	                !strcmp(r->resource->plural, "selfsubjectrulesreviews")))
		return 0;
	if (!r->is_resource)
		return err_set(err, ERR_FORBIDDEN, "forbidden: User \"%.*s\" cannot %.*s path \"%.*s\"",
		        SLICE_FMT(c->user.name), SLICE_FMT(c->method), SLICE_FMT(c->path));
	return err_set(err, ERR_FORBIDDEN,
	        "%s%s%s%s%.*s%s is forbidden: User \"%.*s\" cannot %s resource \"%s\" in API group \"%s\"%s%.*s%s",
	        r->resource->plural, *r->resource->group ? "." : "", r->resource->group, r->name.len ? " \"" : "",
	        SLICE_FMT(r->name), r->name.len ? "\"" : "", SLICE_FMT(c->user.name), resource_verb_name(r->verb),
	        r->resource->plural, r->resource->group, r->ns.len ? " in the namespace \"" : " at the cluster scope",
	        SLICE_FMT(r->ns), r->ns.len ? "\"" : "");
}

static void run_handler(struct call *c)
{
	struct route *r = &c->route;
	if (!r->is_resource) {
		api_nonresource(c);
		return;
	}
	if (!r->resource->storage_prefix && !r->sub) {
		api_review(c);
		return;
	}
	if (r->sub && r->sub->is_connect) {
		api_connect(c);
		return;
	}
	if (r->sub && api_subresource(c))
		return;
	switch (r->verb) {
	case RESOURCE_GET:
		api_get(c);
		break;
	case RESOURCE_LIST:
		api_list(c);
		break;
	case RESOURCE_WATCH:
		api_watch(c);
		break;
	case RESOURCE_CREATE:
		api_create(c);
		break;
	case RESOURCE_UPDATE:
	case RESOURCE_PATCH:
		api_update(c);
		break;
	case RESOURCE_DELETE:
		api_delete(c);
		break;
	case RESOURCE_DELETECOLLECTION:
		api_delete_collection(c);
		break;
	}
}

void api_dispatch(struct call *c)
{
	struct err err = ERR_INIT;
	c->server->counters.requests++;
	call_parse_query(c);
	int rc = route_parse(c, &err);
	if (rc == 0 && c->route.is_resource && !(c->route.sub && c->route.sub->is_connect))
		rc = call_negotiate(c, &err);
	if (rc == 0)
		rc = authorize(c, &err);
	if (rc != 0) {
		c->server->counters.errors++;
		call_respond_err(c, &err);
		return;
	}
	run_handler(c);
}
