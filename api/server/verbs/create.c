/* POST: a new object. A name that is generated is tried again when it is taken. */
#include "api/server/verbs/mutation.h"
#include "api/server/verbs/verbs.h"

#include "api/server/answer.h"
#include "api/server/body.h"
#include "api/server/state.h"
#include "api/server/status.h"
#include "base/check.h"

static int check_namespace(const struct mutation *m, const struct json *object, struct err *err)
{
	struct slice ns = json_str(json_path(object, "metadata", "namespace", NULL));
	if (m->resource->namespaced && !m->ns.len)
		return err_set(err, ERR_METHOD,
		        "the server does not allow this method on the requested resource: %s live in a namespace",
		        m->resource->plural);
	if (m->resource->namespaced && ns.len && !slice_eq(ns, m->ns))
		return err_set(err, ERR_INVAL,
		        "the namespace of the provided object does not match the namespace sent on the request");
	if (!m->resource->namespaced && ns.len)
		return err_set(err, ERR_INVAL, "namespace is not allowed on this type");
	return 0;
}

/* Said before anything is done for the object; the transaction has the last word. */
static int check_absent(struct mutation *m, struct slice name, struct err *err)
{
	struct slice key = name;
	if (m->resource->namespaced)
		key = slice_of(arena_printf(m->arena, "%.*s/%.*s", SLICE_FMT(m->ns), SLICE_FMT(name)));
	if (!cache_get(cache_resource(m->call->server->cache, m->resource), key))
		return 0;
	m->call->route.name = name; /* for the details */
	return status_exists(err, m->resource, name);
}

/* Versions are the store's to give. What is no number is none, as upstream has it. */
static int check_version(const struct json *object, struct err *err)
{
	uint64_t version;
	if (!slice_to_u64(json_str(json_path(object, "metadata", "resourceVersion", NULL)), &version) || !version)
		return 0;
	return err_set(err, ERR_INVAL, "resourceVersion should not be set on objects to be created");
}

/* Its definition is going, and takes its objects along. */
static int check_stays(const struct resource *r, struct err *err)
{
	if (r->terminating && atomic_load(r->terminating))
		return err_set(err, ERR_METHOD, "create not allowed while custom resource definition is terminating");
	return 0;
}

static int decode(struct mutation *m, struct err *err)
{
	const struct resource *r = m->resource;
	call_drop_warnings(m->call);
	if (check_stays(r, err) != 0)
		return err->code;
	m->object = body_read(m->call, r->type, r->kind, r->api_version, err);
	if (!m->object || check_namespace(m, m->object, err) != 0 || check_version(m->object, err) != 0)
		return err->code;
	m->name = json_str(json_path(m->object, "metadata", "name", NULL));
	m->is_bound = m->name.len > 0;
	return m->is_bound ? check_absent(m, m->name, err) : 0;
}

static void answer(struct mutation *m)
{
	mutation_answer_object(m, 201);
}

static const struct mutation_verb verb = {
        .name = "create", .operation = ADMISSION_CREATE, .decode = decode, .answer = answer};

void api_create(struct call *c)
{
	struct mutation *m = ARENA_NEW(&c->arena, struct mutation);
	struct err err = ERR_INIT;
	LOOP_CHECK_OWNER(c->loop);
	mutation_init(m, &verb, c, &c->arena);
	if (managing_refuses(c, "CreateOptions", false))
		return;
	if (body_dry_run(c, &m->is_dry_run, &err) == 0)
		mutation_start(m);
	else
		call_respond_err(c, &err);
}
