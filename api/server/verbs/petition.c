/* See petition.h. */
#include "api/server/verbs/petition.h"

#include "api/machinery/codec/decode.h"
#include "api/server/answer.h"
#include "api/server/state.h"
#include "base/check.h"

/* What a webhook made of it: decoded as what a client sends is, and of the same kind. */
static int take_replacement(struct admission *a, struct json *object, struct err *err)
{
	const struct schema_type *type = a->as ? a->as->type : a->resource->type;
	json_set_str(a->arena, object, "apiVersion", json_get_str(a->object, "apiVersion"));
	json_set_str(a->arena, object, "kind", json_get_str(a->object, "kind"));
	if (type && decode_object(a->arena, object, type, 0, NULL, err) != 0)
		return err->code;
	a->object = object;
	return budget_check(a->arena->budget, a->arena->used_bytes, err);
}

/* The end, of either kind; p may be gone after it. */
static void conclude(struct petition *p, struct err *err)
{
	struct call *c = p->admission.call;
	admission_end(&p->admission, 0);
	if (c->gone)
		err_set(err, ERR_CANCELED, "the client went away");
	if (!err->code)
		p->granted(p);
	else if (err->code == ERR_INVALID_OBJECT && p->errors.count)
		call_respond_invalid(c, p->admission.resource, p->admission.name, &p->errors);
	else
		call_respond_err(c, err);
	call_unref(c);
}

static void look(struct petition *p)
{
	struct err err = ERR_INIT;
	if (admission_validate(&p->admission, &err) != ADMISSION_LATER)
		conclude(p, &err);
}

static void is_back(struct admission *a, const struct err *err)
{
	struct petition *p = CONTAINER_OF(a, struct petition, admission);
	struct err now = *err;
	if (!now.code && a->is_mutating)
		look(p);
	else
		conclude(p, &now);
}

static void ask(struct cache_wait *w)
{
	struct petition *p = CONTAINER_OF(w, struct petition, wait);
	struct err err = ERR_INIT;
	int rc = admission_mutate(&p->admission, &err);
	if (rc == 0)
		look(p);
	else if (rc != ADMISSION_LATER)
		conclude(p, &err);
}

void petition_start(struct petition *p, struct call *c, enum admission_operation operation,
        const struct resource_sub *as, struct json *object, bool is_dry_run, void (*granted)(struct petition *p))
{
	LOOP_CHECK_OWNER(c->loop);
	CHECK(object && granted && c->route.resource);
	field_errors_init(&p->errors, &c->arena);
	p->granted = granted;
	p->admission = (struct admission){.call = call_ref(c),
	        .arena = &c->arena,
	        .operation = operation,
	        .resource = c->route.resource,
	        .sub = c->route.sub ? c->route.sub->name : "",
	        .ns = c->route.ns,
	        .name = c->route.name,
	        .as = as,
	        .object = object,
	        .is_dry_run = is_dry_run,
	        .errors = &p->errors,
	        .replace = take_replacement,
	        .done = is_back};
	p->wait = (struct cache_wait){.revision = store_revision(c->server->store), .reached = ask};
	cache_wait(c->server->cache, &p->wait);
}
