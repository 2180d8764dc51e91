/* Server-side apply: PATCH with application/apply-patch+yaml, in YAML or JSON. A client says which fields it wants and
 * how, under a name; the server merges them in, keeps who wants what, and tells when two disagree (Kubernetes
 * documentation, "Server-Side Apply"). An object that is absent is created, by who may create.
 *
 * What can go wrong: the patch is not of the kind, names fields that it does not have, or an element of a list without
 * its key (400); another manager has set a field otherwise (409, each conflict a cause); the patch names a version or
 * uid that the object does not have (409). */
#include "api/server/verbs/apply.h"

#include "api/machinery/codec/decode.h"
#include "api/server/answer.h"
#include "api/server/auth/rights/authorize.h"
#include "api/server/body.h"
#include "api/server/verbs/verbs.h"
#include "base/check.h"
#include "base/yaml.h"

/* ---- the patch ---- */

/* JSON is YAML, too; as JSON it is read faster and blamed more precisely. */
static struct json *parse(struct mutation *m, struct decode_problems *problems, struct err *err)
{
	struct json_parse_options opts = {decode_on_duplicate, problems};
	struct slice body = slice_trim(m->call->body);
	struct err json_err = ERR_INIT;
	struct json *tree = body.len && body.ptr[0] == '{' ? json_parse(m->arena, body, &opts, &json_err) : NULL;
	if (!tree && json_err.code != ERR_TOO_BIG) {
		decode_problems_init(problems, m->arena);
		tree = yaml_parse(m->arena, body, &opts, err);
		if (!tree && json_err.code)
			*err = json_err;
	} else if (!tree) {
		*err = json_err;
	}
	if (!tree && err->code == ERR_INVAL)
		err_wrap(err, "error decoding YAML");
	if (tree && tree->type != JSON_OBJECT) {
		err_set(err, ERR_INVAL, "error decoding YAML: the patch must be an object, not %s",
		        json_type_name(tree->type));
		return NULL;
	}
	return tree;
}

static int judge_duplicates(struct mutation *m, struct decode_problems *problems, struct err *err)
{
	enum decode_validation validation;
	if (decode_validation_parse(call_param(m->call, "fieldValidation"), &validation, err) != 0)
		return err->code;
	if (decode_problems_judge(problems, validation, err) != 0) {
		err_wrap(err, "error strict decoding YAML");
		return err->code;
	}
	for (size_t i = 0; validation == DECODE_WARN && i < problems->count; i++)
		call_warn(m->call, problems->texts[i]);
	return 0;
}

/* "default/web; apps/v1, Kind=Deployment" */
static const char *name_of(const struct mutation *m, const char *kind, const char *api_version)
{
	return arena_printf(m->arena, "%.*s%s%.*s; %s, Kind=%s", SLICE_FMT(m->ns), m->ns.len ? "/" : "",
	        SLICE_FMT(m->name), api_version, kind);
}

/* Fields that the kind does not have are refused, whatever fieldValidation says: nobody could own them. */
static int refuse_unknown(
        const struct mutation *m, struct decode_problems *problems, const char *object, struct err *err)
{
	static const char prefix[] = "unknown field \"";
	struct strbuf text = STRBUF_INIT;
	decode_problems_judge(problems, DECODE_WARN, err);
	for (size_t i = 0; i < problems->count; i++) {
		struct slice path = slice_of(problems->texts[i]);
		if (slice_starts(path, prefix))
			path = (struct slice){path.ptr + sizeof prefix - 1, path.len - sizeof prefix};
		strbuf_addf(&text, "%s.%.*s: field not declared in schema", problems->count > 1 ? "\n  " : "",
		        SLICE_FMT(path));
	}
	err_set(err, ERR_INVAL, "failed to create typed patch object (%s): %s%s", object,
	        problems->count > 1 ? "errors:" : "", strbuf_cstr(&text));
	strbuf_release(&text);
	return err->code;
}

struct json *apply_read(
        struct mutation *m, const struct schema_type *type, const char *kind, const char *api_version, struct err *err)
{
	struct decode_problems problems;
	struct json *config;
	decode_problems_init(&problems, m->arena);
	config = parse(m, &problems, err);
	if (!config || judge_duplicates(m, &problems, err) != 0)
		return NULL;
	if (!slice_is(json_get_str(config, "kind"), kind) ||
	        !slice_is(json_get_str(config, "apiVersion"), api_version)) {
		err_set(err, ERR_INVAL, "invalid object type: %.*s, Kind=%.*s: must be %s, Kind=%s",
		        SLICE_FMT(json_get_str(config, "apiVersion")), SLICE_FMT(json_get_str(config, "kind")),
		        api_version, kind);
		return NULL;
	}
	if (json_path(config, "metadata", "managedFields", NULL)) {
		err_set(err, ERR_INVAL, "metadata.managedFields must be nil");
		return NULL;
	}
	decode_problems_init(&problems, m->arena);
	if (type && decode_object(m->arena, config, type, DECODE_KEEP_SHAPE, &problems, err) != 0) {
		err_wrap(err, "failed to create typed patch object (%s)", name_of(m, kind, api_version));
		return NULL;
	}
	if (problems.count && refuse_unknown(m, &problems, name_of(m, kind, api_version), err) != 0)
		return NULL;
	return config;
}

/* ---- whose patch it is ---- */

static int check_new(struct mutation *m, const struct json *config, struct err *err)
{
	struct json *meta = json_get(config, "metadata");
	struct slice name = json_get_str(meta, "name"), ns = json_get_str(meta, "namespace"),
	             uid = json_get_str(meta, "uid"), version = json_get_str(meta, "resourceVersion");
	if (m->resource->terminating && atomic_load(m->resource->terminating))
		return err_set(err, ERR_METHOD, "create not allowed while custom resource definition is terminating");
	if (!name.len)
		return err_set(err, ERR_INVAL,
		        "the name of the object (%.*s based on URL) was undeterminable: name must be provided%s",
		        SLICE_FMT(m->name),
		        json_get(meta, "generateName") ? ": generateName cannot be used with apply" : "");
	if (mutation_check_place(m, name, ns, err) != 0)
		return err->code;
	if (ns.len && !m->resource->namespaced)
		return err_set(err, ERR_INVAL, "namespace is not allowed on this type");
	if (uid.len || (version.len && !slice_is(version, "0")))
		return err_set(err, ERR_CONFLICT,
		        "Operation cannot be fulfilled on %s \"%.*s\": %s mismatch: the provided object specified %s "
		        "%.*s, and no existing object was found",
		        m->resource->plural, SLICE_FMT(m->name), uid.len ? "uid" : "resourceVersion",
		        uid.len ? "uid" : "resourceVersion", SLICE_FMT(uid.len ? uid : version));
	return 0;
}

/* ---- who may create ---- */

static void may_create(struct authorization *z)
{
	struct mutation *m = z->arg;
	struct err err = ERR_INIT;
	if (z->verdict != VERDICT_ALLOW)
		authorize_refusal(&z->attributes, z->reason, &err);
	mutation_resume(m, &err);
}

/* Patching is allowed already. */
static int ask_to_create(struct mutation *m)
{
	struct authorization *z = ARENA_NEW(m->arena, struct authorization);
	z->attributes = (struct attributes){.user = m->call->user,
	        .is_resource = true,
	        .verb = SLICE("create"),
	        .group = slice_of(m->resource->group),
	        .version = slice_of(m->resource->version),
	        .resource = slice_of(m->resource->plural),
	        .ns = m->ns,
	        .name = m->name};
	z->arena = m->arena;
	z->arg = m;
	z->done = may_create;
	authorize(m->call->server, z);
	return MUTATION_LATER;
}

/* ---- the verb ---- */

static int normalise(struct mutation *m, struct err *err)
{
	struct decode_problems problems;
	struct json *meta = json_get(m->object, "metadata");
	if (!m->resource->type)
		return 0;
	json_del(meta, "resourceVersion");
	decode_problems_init(&problems, m->arena);
	return decode_object(m->arena, m->object, m->resource->type, 0, &problems, err);
}

static int decode(struct mutation *m, struct err *err)
{
	const struct resource *r = m->resource;
	struct json *config;
	call_drop_warnings(m->call);
	config = apply_read(m, r->type, r->kind, r->api_version, err);
	if (!config)
		return err->code;
	if ((m->before ? mutation_check_identity(m, config, err) : check_new(m, config, err)) != 0)
		return err->code;
	m->is_bound = m->before && m->is_bound; /* who creates meanwhile is applied to */
	if (managing_apply(&m->managing, m->old, config, &m->object, err) != 0 || normalise(m, err) != 0)
		return err->code;
	return m->before ? 0 : ask_to_create(m);
}

static void answer(struct mutation *m)
{
	mutation_answer_object(m, m->operation == ADMISSION_CREATE ? 201 : 200);
}

static const struct mutation_verb verb = {
        .name = "apply", .operation = ADMISSION_UPDATE, .may_create = true, .decode = decode, .answer = answer};

static const struct mutation_verb sub_verb = {
        .name = "apply of a part", .operation = ADMISSION_UPDATE, .decode = decode, .answer = answer};

bool apply_is(const struct call *c)
{
	return c->route.verb == RESOURCE_PATCH && body_is(c, "application/apply-patch+yaml");
}

void api_apply(struct call *c)
{
	struct mutation *m = ARENA_NEW(&c->arena, struct mutation);
	struct err err = ERR_INIT;
	LOOP_CHECK_OWNER(c->loop);
	mutation_init(m, c->route.sub ? &sub_verb : &verb, c, &c->arena);
	if (managing_refuses(c, "PatchOptions", true))
		return;
	if (body_dry_run(c, &m->is_dry_run, &err) == 0)
		mutation_start(m);
	else
		call_respond_err(c, &err);
}
