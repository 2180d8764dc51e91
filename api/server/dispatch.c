/* The steps of a request, in order, when the transport has authenticated it:
 *
 *     query -> route -> (impersonate) -> negotiate -> its turn -> authorize -> body -> handler
 *
 * Nobody's body is read before he may do what he asks. What can go wrong before a handler is called is answered here.
 */
#include "api/server/dispatch.h"

#include "api/machinery/schema/kind_ops.h"
#include "api/server/aggregate/aggregate.h"
#include "api/server/answer.h"
#include "api/server/audit/audit.h"
#include "api/server/auth/rights/authorize.h"
#include "api/server/auth/identity/impersonation.h"
#include "api/server/fairness/fairness.h"
#include "api/server/join/join.h"
#include "api/server/nonresource.h"
#include "api/server/state.h"
#include "api/server/verbs/verbs.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/check.h"

/* What is kept between the steps, in the call's arena: until the handler has it, c->handler_data. */
struct passage {
	struct authorization z;
	struct err err; /* what is wrong with the path */
};

/* However often a verb begins anew. */
static void warn_of_version(struct call *c)
{
	const struct resource *r = c->route.resource;
	const char *text = r->deprecation ? r->deprecation : resource_ops(r)->deprecation;
	if (!text)
		return;
	call_warn(c, text);
	c->n_kept_warnings = c->n_warnings;
}

static void run_handler(struct call *c)
{
	struct route *r = &c->route;
	LOOP_CHECK_OWNER(c->loop);
	CHECK(!c->answered && !c->gone);
	if (!r->is_resource) {
		if (join_is_path(c->path))
			join_handle(c);
		else
			api_nonresource(c);
		return;
	}
	if (r->resource->is_remote) {
		aggregate_pass(c);
		return;
	}
	warn_of_version(c);
	if (!r->resource->storage_prefix && !r->sub) { /* nothing of these kinds is stored */
		if (strcmp(r->resource->plural, "bindings") == 0)
			api_bind_by_name(c);
		else if (r->verb == RESOURCE_CREATE)
			api_review(c);
		else
			api_component_status(c);
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

static bool has_body(const struct call *c)
{
	if (!c->route.is_resource)
		return join_is_path(c->path) && slice_is(c->method, "POST");
	if ((c->route.sub && c->route.sub->is_connect) || c->route.resource->is_remote)
		return false; /* it is passed on as it comes */
	return c->route.verb &
	       (RESOURCE_CREATE | RESOURCE_UPDATE | RESOURCE_PATCH | RESOURCE_DELETE | RESOURCE_DELETECOLLECTION);
}

/* The work for one write is bounded in memory and in time. */
static void with_body(struct call *c)
{
	c->budget = BUDGET(API_WRITE_ARENA_BYTES_MAX, clock_mono_ms() + API_WRITE_MS_MAX);
	c->arena.budget = &c->budget;
	if (c->route.is_resource && c->route.verb == RESOURCE_PATCH)
		audit_request_patch(c);
	run_handler(c);
}

static void refuse(struct call *c, const struct err *err)
{
	c->server->counters.errors++;
	call_respond_err(c, err);
}

static void authorized(struct authorization *z)
{
	struct call *c = z->arg;
	struct err err = ERR_INIT;
	CHECK(!c->answered);
	audit_annotate(
	        c, "authorization.k8s.io/decision", z->verdict == VERDICT_ALLOW ? SLICE("allow") : SLICE("forbid"));
	audit_annotate(c, "authorization.k8s.io/reason", slice_of(z->reason));
	if (!c->gone && z->verdict != VERDICT_ALLOW) {
		authorize_refusal(&z->attributes, z->reason, &err);
		refuse(c, &err);
	} else if (!c->gone && has_body(c) && c->transport->read_body) {
		c->transport->read_body(c, with_body);
	} else if (!c->gone && has_body(c)) {
		with_body(c);
	} else if (!c->gone) {
		run_handler(c);
	}
	call_unref(c);
}

/* kubectl and others name paths by the method, in lower case. */
static struct slice lower(struct arena *a, struct slice s)
{
	char *text = arena_memdup(a, s.ptr, s.len);
	for (size_t i = 0; i < s.len; i++)
		if (text[i] >= 'A' && text[i] <= 'Z')
			text[i] = (char)(text[i] - 'A' + 'a');
	return (struct slice){text, s.len};
}

/* Who lists or watches one object by its name asks for that name; and nodes ask for what is theirs. A selector that is
 * none is refused by who reads it. */
static void take_selector(struct call *c, struct attributes *a)
{
	struct field_selector s;
	struct err ignored = ERR_INIT;
	if (field_selector_parse(&c->arena, call_param(c, "fieldSelector"), &s, &ignored) != 0)
		return;
	for (size_t i = 0; i < s.count; i++) {
		const struct field_requirement *f = &s.requirements[i];
		if (!f->negated && slice_is(f->field, "metadata.name") && !a->name.len)
			a->name = f->value;
		if (!f->negated && slice_is(f->field, "spec.nodeName"))
			a->node_selector = f->value;
	}
}

static void fill_attributes(struct call *c, struct attributes *a)
{
	const struct route *r = &c->route;
	*a = (struct attributes){.user = c->user, .is_resource = r->is_resource, .path = c->path};
	if (!r->is_resource) {
		a->verb = lower(&c->arena, c->method);
		return;
	}
	a->verb = slice_of(resource_verb_name(r->verb));
	a->group = slice_of(r->resource->group);
	a->version = slice_of(r->resource->version);
	a->resource = slice_of(r->resource->plural);
	a->subresource = r->sub ? slice_of(r->sub->name) : SLICE_NULL;
	a->ns = r->ns;
	a->name = r->name;
	if (r->verb & (RESOURCE_LIST | RESOURCE_WATCH | RESOURCE_DELETECOLLECTION))
		take_selector(c, a);
}

static void may_he(struct call *c, struct passage *p)
{
	struct authorization *z = &p->z;
	z->arg = call_ref(c);
	z->arena = &c->arena;
	z->explains = audit_wants_reason(c);
	z->done = authorized;
	authorize(c->server, z);
}

static void its_turn(struct call *c, const struct err *err)
{
	struct passage *p = c->handler_data;
	c->handler_data = NULL;
	if (err->code)
		refuse(c, err);
	else
		may_he(c, p);
}

/* What others answer is in a form of theirs. */
static bool negotiates(const struct call *c)
{
	const struct route *r = &c->route;
	return r->is_resource && !r->resource->is_remote && !(r->sub && r->sub->is_connect);
}

/* Path, query and Accept are read; what is wrong with them is answered when it is known who acts. */
static void dispatch(struct call *c)
{
	struct passage *p = c->handler_data;
	struct err err = p->err;
	c->handler_data = NULL;
	if (!err.code && negotiates(c))
		call_negotiate(c, &err);
	if (err.code) {
		refuse(c, &err);
		return;
	}
	p->z.attributes.user = c->user;
	if (fairness_enter(c, &p->z.attributes, its_turn, &err))
		may_he(c, p);
	else if (err.code)
		refuse(c, &err);
	else
		c->handler_data = p;
}

static void impersonated(struct call *c, const struct err *err)
{
	CHECK(!c->answered);
	if (!err->code)
		audit_impersonated(c);
	if (!c->gone && err->code)
		refuse(c, err);
	else if (!c->gone)
		dispatch(c);
	call_unref(c);
}

static struct passage *read_head(struct call *c)
{
	struct passage *p = ARENA_NEW(&c->arena, struct passage);
	call_parse_query(c);
	int rc = route_parse(&c->arena, c->path, c->method, call_param_bool(c, "watch"), &c->route, &p->err);
	if (rc == ERR_NOT_FOUND) {
		struct err err = ERR_INIT;
		if (aggregate_route(c->server->aggregator, c, &err))
			p->err = err;
	}
	if (p->err.code)
		c->route.is_resource = c->route.is_resource && c->route.verb;
	resource_ref(c->route.resource); /* the call's, until it ends */
	fill_attributes(c, &p->z.attributes);
	return p;
}

/* If nobody has said so before: the client went away. */
static void over(struct call *c)
{
	audit_complete(c);
	fairness_leave(c);
}

void api_dispatch(struct call *c)
{
	LOOP_CHECK_OWNER(c->loop);
	CHECK(c->user && !c->answered);
	c->server->counters.requests++;
	struct passage *p = read_head(c);
	c->handler_data = p;
	c->on_over = over;
	audit_begin(c, &p->z.attributes);
	if (c->impersonation)
		impersonation_check(call_ref(c), c->impersonation, impersonated);
	else
		dispatch(c);
}

void api_refuse(struct call *c, const struct err *err)
{
	CHECK(!c->answered);
	c->on_over = over;
	if (c->user) { /* it is known who asks, and what he says besides is wrong */
		audit_begin(c, &read_head(c)->z.attributes);
	} else if (err->code == ERR_UNAUTHENTICATED && c->server->audit) {
		c->user = user_new(SLICE(""), SLICE_NULL);
		audit_begin_refused(c, &read_head(c)->z.attributes, err->msg);
	}
	call_respond_err(c, err);
}
