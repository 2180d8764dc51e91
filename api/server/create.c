/* POST: a new object. body -> strategy -> admission -> defaults -> validation -> compare-and-swap -> 201. */
#include "api/server/write_int.h"

#include "api/machinery/codec/decode.h"
#include "api/machinery/rules/defaults.h"
#include "api/machinery/rules/validate.h"

struct creation {
	struct write write;
	struct slice name;
	bool generated; /* the name is ours: a collision is tried again */
};

static void submit(struct creation *k);

static void done(struct write *w, const struct err *err, int64_t revision)
{
	struct creation *k = (struct creation *)w;
	struct call *c = w->call;
	const struct resource *r = c->route.resource;
	struct err e = *err;
	if (!err->code) {
		struct rcbuf *text = object_finish(strbuf_slice(&w->text), revision);
		write_release(w);
		call_respond_object(c, 201, text, r->storage);
		return;
	}
	write_release(w);
	if (err->code == ERR_CONFLICT && !c->gone && k->generated && ++w->attempts < WRITE_ATTEMPTS_MAX) {
		api_create(c);
		return;
	}
	if (err->code == ERR_CONFLICT) {
		c->route.name = k->name; /* for the details */
		status_exists(&e, r, k->name);
	}
	call_respond_err(c, &e);
}

static void submit(struct creation *k)
{
	struct call *c = k->write.call;
	k->write.done = done;
	write_submit(&k->write, c->route.resource->storage, c->route.ns, k->name);
}

static int check_namespace(struct call *c, struct json *object, struct err *err)
{
	const struct resource *r = c->route.resource;
	struct slice ns = json_str(json_path(object, "metadata", "namespace", NULL));
	if (r->namespaced && !c->route.ns.len)
		return err_set(err, ERR_METHOD,
		        "the server does not allow this method on the requested resource: %s live in a namespace",
		        r->plural);
	if (r->namespaced && ns.len && !slice_eq(ns, c->route.ns))
		return err_set(err, ERR_INVAL,
		        "the namespace of the provided object does not match the namespace sent on the request");
	if (!r->namespaced && ns.len)
		return err_set(err, ERR_INVAL, "namespace is not allowed on this type");
	return 0;
}

/* Said before anything is allocated for the object; the compare-and-swap has the last word. */
static int check_absent(struct call *c, struct slice name, struct err *err)
{
	const struct resource *r = c->route.resource;
	struct slice key =
	        r->namespaced ? slice_of(arena_printf(&c->arena, "%.*s/%.*s", SLICE_FMT(c->route.ns), SLICE_FMT(name)))
	                      : name;
	if (!cache_get(cache_resource(c->server->cache, r), key))
		return 0;
	c->route.name = name; /* for the details */
	return status_exists(err, r, name);
}

static bool validate(struct call *c, struct json *object)
{
	struct field_errors *errors = ARENA_NEW(&c->arena, struct field_errors);
	field_errors_init(errors, &c->arena);
	validate_object(errors, c->route.resource, object, NULL, "");
	if (!errors->count)
		return true;
	call_respond_invalid(c, c->route.resource, json_str(json_path(object, "metadata", "name", NULL)), errors);
	return false;
}

/* Kinds whose objects promise what is not there yet. */
static int check_built(const struct resource *r, struct err *err)
{
	if (!strcmp(r->group, "apiextensions.k8s.io") && !strcmp(r->plural, "customresourcedefinitions"))
		return err_set(err, ERR_UNIMPLEMENTED,
		        "custom resources are not built yet: this server would not serve the kinds of a "
		        "CustomResourceDefinition");
	return 0;
}

/* Everything between the body and the store. NULL: answered already, or err is set. */
static struct json *build(struct call *c, bool *generated, struct err *err)
{
	const struct resource *r = c->route.resource;
	struct json *object = check_built(r, err) == 0 ? body_read(c, r->type, r->kind, r->api_version, err) : NULL;
	if (!object || check_namespace(c, object, err) != 0 || admission_check(c, r, c->route.ns, err) != 0)
		return NULL;
	struct slice name = json_str(json_path(object, "metadata", "name", NULL));
	*generated = !name.len;
	if (name.len && check_absent(c, name, err) != 0)
		return NULL;
	strategy_prepare_create(c, r, object);
	defaults_apply(&c->arena, r, object);
	if (admission_mutate(c, r, object, NULL, err) != 0)
		return NULL;
	if (r->type)
		decode_normalise(&c->arena, object, r->type);
	return validate(c, object) ? object : NULL;
}

static void create_now(struct call *c)
{
	struct err err = ERR_INIT;
	bool dry_run, generated = false;
	const struct resource *r = c->route.resource;
	struct json *object = body_dry_run(c, &dry_run, &err) == 0 ? build(c, &generated, &err) : NULL;
	if (object && r->storage != r && resource_convert(&c->arena, object, r, r->storage, &err) != 0)
		object = NULL;
	if (!object) {
		if (err.code)
			call_respond_err(c, &err);
		return;
	}
	struct json *meta = json_get(object, "metadata");
	struct creation *k = ARENA_NEW(&c->arena, struct creation);
	k->write.call = c;
	k->name = json_get_str(meta, "name");
	k->generated = generated;
	strategy_write(&k->write.text, object);
	if (dry_run) {
		struct rcbuf *text = rcbuf_copy(k->write.text.data, k->write.text.len);
		write_release(&k->write);
		call_respond_object(c, 201, text, r->storage);
		return;
	}
	submit(k);
}

void api_create(struct call *c)
{
	api_when_fresh(c, false, create_now);
}
