/* Request bodies: JSON, YAML or protobuf to one checked tree, with upstream's errors. See body.h. */
#include "api/server/body.h"

#include "api/machinery/codec/decode.h"
#include "api/machinery/codec/transcode.h"
#include "api/server/audit/audit.h"
#include "base/yaml.h"
#include "base/check.h"

bool body_is(const struct call *c, const char *media_type)
{
	struct slice rest = c->content_type;
	return slice_caseis(slice_trim(slice_cut(&rest, ';')), media_type);
}

/* Puts "Deployment in version "apps/v1" cannot be handled as a Deployment: " before the message. */
static void blame(struct err *err, const char *kind, const char *api_version)
{
	struct slice version = slice_of(api_version);
	const char *slash = strchr(api_version, '/');
	if (slash)
		version = slice_of(slash + 1);
	err_wrap(err, "%s in version \"%.*s\" cannot be handled as a %s", kind, SLICE_FMT(version), kind);
	err->code = ERR_INVAL;
}

static struct json *parse(struct call *c, const struct schema_type *type, struct decode_problems *problems,
        bool *decoded, struct err *err)
{
	struct json_parse_options opts = {decode_on_duplicate, problems};
	*decoded = false;
	if (!c->content_type.len || body_is(c, "application/json"))
		return json_parse(&c->arena, c->body, &opts, err);
	if (body_is(c, "application/yaml"))
		return yaml_parse(&c->arena, c->body, &opts, err);
	if (body_is(c, TRANSCODE_CONTENT_TYPE)) {
		*decoded = true;
		return transcode_from_protobuf(&c->arena, c->body, type, NULL, err);
	}
	err_set(err, ERR_MEDIA_TYPE,
	        "the body of the request was in an unknown format - accepted media types include: application/json, "
	        "application/yaml, " TRANSCODE_CONTENT_TYPE);
	return NULL;
}

static int check_kind(struct json *tree, const char *kind, const char *api_version, struct err *err)
{
	struct slice k = json_get_str(tree, "kind"), v = json_get_str(tree, "apiVersion");
	if (k.len && !slice_is(k, kind))
		return err_set(err, ERR_INVAL,
		        "the object provided is unrecognized (must be of type %s): its kind is \"%.*s\"", kind,
		        SLICE_FMT(k));
	if (v.len && !slice_is(v, api_version))
		return err_set(err, ERR_INVAL,
		        "the API version in the data (%.*s) does not match the expected API version (%s)", SLICE_FMT(v),
		        api_version);
	return 0;
}

struct json *body_read(
        struct call *c, const struct schema_type *type, const char *kind, const char *api_version, struct err *err)
{
	enum decode_validation validation;
	struct decode_problems problems;
	bool decoded;
	LOOP_CHECK_OWNER(c->loop);
	if (decode_validation_parse(call_param(c, "fieldValidation"), &validation, err) != 0)
		return NULL;
	if (!c->body.len) {
		err_set(err, ERR_INVAL, "unable to decode an empty request body: send a %s", kind);
		return NULL;
	}
	decode_problems_init(&problems, &c->arena);
	struct json *tree = parse(c, type, &problems, &decoded, err);
	if (tree && tree->type != JSON_OBJECT) {
		err_set(err, ERR_INVAL, "json: cannot unmarshal %s into Go value of type %s",
		        json_type_name(tree->type), kind);
		tree = NULL;
	}
	if (!tree) {
		if (err->code == ERR_INVAL)
			blame(err, kind, api_version);
		return NULL;
	}
	if (check_kind(tree, kind, api_version, err) != 0)
		return NULL;
	if ((type && !decoded && decode_object(&c->arena, tree, type, 0, &problems, err) != 0) ||
	        decode_problems_judge(&problems, validation, err) != 0) {
		blame(err, kind, api_version);
		return NULL;
	}
	for (size_t i = 0; validation == DECODE_WARN && i < problems.count; i++)
		call_warn(c, problems.texts[i]);
	json_set_cstr(&c->arena, tree, "kind", kind);
	json_set_cstr(&c->arena, tree, "apiVersion", api_version);
	audit_request_object(c, tree);
	return tree;
}

static int option_from_query(struct call *c, struct json *options, struct err *err)
{
	struct slice grace = call_param(c, "gracePeriodSeconds"), policy = call_param(c, "propagationPolicy");
	int64_t seconds;
	if (grace.len && !slice_to_i64(grace, &seconds))
		return err_set(err, ERR_INVAL, "gracePeriodSeconds: Invalid value: \"%.*s\": must be an integer",
		        SLICE_FMT(grace));
	if (grace.len)
		json_set_int(&c->arena, options, "gracePeriodSeconds", seconds);
	if (policy.len)
		json_set_str(&c->arena, options, "propagationPolicy", policy);
	if (call_param(c, "orphanDependents").len)
		json_set_bool(&c->arena, options, "orphanDependents", call_param_bool(c, "orphanDependents"));
	return 0;
}

static int check_options(const struct json *options, struct err *err)
{
	struct slice policy = json_get_str(options, "propagationPolicy"), kind = json_get_str(options, "kind");
	if (kind.len && !slice_is(kind, "DeleteOptions"))
		return err_set(err, ERR_INVAL,
		        "the object provided is unrecognized (must be of type DeleteOptions): its kind is \"%.*s\"",
		        SLICE_FMT(kind));
	if (policy.len && !slice_is(policy, "Foreground") && !slice_is(policy, "Background") &&
	        !slice_is(policy, "Orphan"))
		return err_set(err, ERR_INVALID_OBJECT,
		        "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported value: \"%.*s\": "
		        "supported "
		        "values: \"Foreground\", \"Background\", \"Orphan\", \"nil\"",
		        SLICE_FMT(policy));
	if (policy.len && json_is(json_get(options, "orphanDependents"), JSON_BOOL))
		return err_set(err, ERR_INVALID_OBJECT,
		        "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Invalid value: \"%.*s\": "
		        "orphanDependents and deletionPropagation cannot be both set",
		        SLICE_FMT(policy));
	if (json_get(options, "gracePeriodSeconds") && json_get_int(options, "gracePeriodSeconds", 0) < 0)
		return err_set(err, ERR_INVAL, "gracePeriodSeconds: Invalid value: must be greater than or equal to 0");
	return 0;
}

struct json *body_read_delete_options(struct call *c, struct err *err)
{
	struct json *options;
	LOOP_CHECK_OWNER(c->loop);
	if (c->body.len) {
		struct decode_problems problems;
		bool decoded;
		const struct schema_type *type = resource_kind_type(SLICE("v1"), SLICE("DeleteOptions"));
		decode_problems_init(&problems, &c->arena);
		options = parse(c, type, &problems, &decoded, err);
		if (options && type && !decoded && decode_object(&c->arena, options, type, 0, &problems, err) != 0)
			options = NULL;
		if (!options)
			return NULL;
		audit_request_object(c, options);
	} else {
		options = json_new(&c->arena, JSON_OBJECT);
	}
	if (!json_is(options, JSON_OBJECT)) {
		err_set(err, ERR_INVAL, "DeleteOptions must be an object");
		return NULL;
	}
	if (option_from_query(c, options, err) != 0 || check_options(options, err) != 0)
		return NULL;
	return options;
}

int body_dry_run(struct call *c, bool *dry_run, struct err *err)
{
	*dry_run = false;
	for (size_t i = 0; i < c->n_params; i++) {
		if (!slice_is(c->params[i].name, "dryRun"))
			continue;
		if (!slice_is(c->params[i].value, "All"))
			return err_set(err, ERR_INVAL, "dryRun: Unsupported value: \"%.*s\": supported values: \"All\"",
			        SLICE_FMT(c->params[i].value));
		*dry_run = true;
	}
	return 0;
}
