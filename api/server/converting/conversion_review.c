/* See conversion_review.h. Upstream: apiextensions-apiserver pkg/apiserver/conversion/webhook_converter.go. */
#include "api/server/converting/conversion_review.h"

#include "api/machinery/rules/checks.h"

#define GROUP "apiextensions.k8s.io/"

const char *conversion_review_version(const struct json *versions)
{
	JSON_FOREACH (it, json_is(versions, JSON_ARRAY) ? versions : NULL) {
		if (slice_is(json_str(it), "v1"))
			return "v1";
		if (slice_is(json_str(it), "v1beta1"))
			return "v1beta1";
	}
	return NULL;
}

/* ---- the question ---- */

void conversion_review_write(
        struct strbuf *out, const char *version, const char *uid, const char *desired, struct slice objects)
{
	strbuf_addf(
	        out, "{\"kind\":\"ConversionReview\",\"apiVersion\":\"" GROUP "%s\",\"request\":{\"uid\":", version);
	json_write_str(out, slice_of(uid));
	strbuf_adds(out, ",\"desiredAPIVersion\":");
	json_write_str(out, slice_of(desired));
	strbuf_adds(out, ",\"objects\":[");
	strbuf_add_slice(out, objects);
	strbuf_adds(out, "]}}");
}

/* ---- the answer ---- */

static int check_frame(const struct json *v, const char *version, const char *uid, struct err *err)
{
	const struct json *response = json_get(v, "response");
	struct slice kind = json_get_str(v, "kind"), api = json_get_str(v, "apiVersion"),
	             answered = json_get_str(response, "uid"), number = api;
	slice_cut(&number, '/');
	if (!slice_is(kind, "ConversionReview") || !slice_starts(api, GROUP) || !slice_is(number, version))
		return err_set(err, ERR_INTERNAL,
		        "expected webhook response of " GROUP "%s, Kind=ConversionReview, got %.*s, Kind=%.*s", version,
		        SLICE_FMT(api), SLICE_FMT(kind));
	if (!json_is(response, JSON_OBJECT))
		return err_set(err, ERR_INTERNAL, "no response provided");
	if (!slice_is(answered, uid) && (answered.len || strcmp(version, "v1") == 0))
		return err_set(
		        err, ERR_INTERNAL, "expected response.uid=\"%s\", got \"%.*s\"", uid, SLICE_FMT(answered));
	return 0;
}

static int check_result(const struct json *response, struct err *err)
{
	const struct json *result = json_get(response, "result");
	struct slice status = json_get_str(result, "status"), message = json_get_str(result, "message");
	if (slice_is(status, "Success"))
		return 0;
	if (message.len)
		return err_set(err, ERR_INTERNAL, "%.*s", SLICE_FMT(message));
	return err_set(err, ERR_INTERNAL, "response.result.status was '%.*s', not 'Success'", SLICE_FMT(status));
}

int conversion_review_read(struct arena *a, struct slice text, const char *version, const char *uid,
        const struct json **ret, struct err *err)
{
	static const struct json none = {.type = JSON_ARRAY};
	const struct json *v = json_parse(a, text, NULL, err), *list;
	if (!v) {
		err->code = ERR_INTERNAL;
		return err->code;
	}
	if (check_frame(v, version, uid, err) != 0 || check_result(json_get(v, "response"), err) != 0)
		return err->code;
	list = json_path(v, "response", "convertedObjects", NULL);
	if (list && list->type != JSON_ARRAY && list->type != JSON_NULL)
		return err_set(err, ERR_INTERNAL, "response.convertedObjects is of type %s, expected array",
		        json_type_name(list->type));
	*ret = json_is(list, JSON_ARRAY) ? list : &none;
	return 0;
}

/* ---- an object ---- */

#define INVALID "returned invalid "

static int check_same(
        const struct json *before, const struct json *now, const char *name, const char *word, struct err *err)
{
	struct slice x = json_get_str(before, name), y = json_get_str(now, name);
	if (slice_eq(x, y))
		return 0;
	return err_set(err, ERR_INTERNAL, INVALID "object: must have the same %s: %.*s != %.*s", word, SLICE_FMT(x),
	        SLICE_FMT(y));
}

static int check_identity(
        const struct json *original, const struct json *converted, const char *desired, size_t index, struct err *err)
{
	const struct json *before = json_get(original, "metadata"), *now = json_get(converted, "metadata");
	struct slice api = json_get_str(converted, "apiVersion"), kind = json_get_str(converted, "kind"),
	             want = json_get_str(original, "kind");
	if (!slice_is(api, desired))
		return err_set(err, ERR_INTERNAL,
		        INVALID "object at index %zu: invalid groupVersion (expected %s, received %.*s)", index,
		        desired, SLICE_FMT(api));
	if (!slice_eq(kind, want))
		return err_set(err, ERR_INTERNAL,
		        INVALID "object at index %zu: invalid kind (expected %.*s, received %.*s)", index,
		        SLICE_FMT(want), SLICE_FMT(kind));
	if (check_same(before, now, "name", "name", err) != 0 ||
	        check_same(before, now, "namespace", "namespace", err) != 0)
		return err->code;
	return check_same(before, now, "uid", "UID", err);
}

static int check_texts(struct arena *a, const struct json *said, const char *name, struct err *err)
{
	struct field_errors *errors = ARENA_NEW(a, struct field_errors);
	field_errors_init(errors, a);
	if (strcmp(name, "labels") == 0)
		check_labels(errors, "metadata.labels", said);
	else
		check_annotations(errors, "metadata.annotation", said);
	if (!errors->count)
		return 0;
	return err_set(err, ERR_INTERNAL, INVALID "metadata: %s: %s", errors->items[0].field, errors->items[0].message);
}

/* What a webhook says of labels or annotations; those that are other than before are checked. */
static int take_texts(
        struct arena *a, struct json *meta, const struct json *answered, const char *name, struct err *err)
{
	struct json *said = json_get(answered, name), *had = json_get(meta, name);
	if (!said || said->type == JSON_NULL) {
		json_del(meta, name);
		return 0;
	}
	if (said->type != JSON_OBJECT)
		return err_set(err, ERR_INTERNAL,
		        INVALID "metadata: invalid metadata.%s of type %s in converted object", name,
		        json_type_name(said->type));
	JSON_FOREACH (it, said)
		if (it->type != JSON_STRING)
			return err_set(err, ERR_INTERNAL,
			        INVALID "metadata: metadata.%s[%.*s] must be a string, but is %s in converted object",
			        name, SLICE_FMT(it->key), json_type_name(it->type));
	if (had && json_equal(had, said))
		return 0;
	if (check_texts(a, said, name, err) != 0)
		return err->code;
	if (said->first)
		json_set(a, meta, name, json_copy(a, said));
	else
		json_del(meta, name);
	return 0;
}

int conversion_review_take(struct arena *a, const struct json *original, const char *desired, struct json *converted,
        size_t index, struct err *err)
{
	const struct json *had = json_get(original, "metadata");
	struct json *answered = json_get(converted, "metadata");
	if (check_identity(original, converted, desired, index, err) != 0)
		return err->code;
	if (!json_is(answered, JSON_OBJECT))
		return answered ? err_set(err, ERR_INTERNAL,
		                          INVALID "metadata: invalid metadata of type %s in converted object",
		                          json_type_name(answered->type))
		                : err_set(err, ERR_INTERNAL, INVALID "metadata: missing metadata in converted object");
	struct json *meta = json_is(had, JSON_OBJECT) ? json_copy(a, had) : json_new(a, JSON_OBJECT);
	if (take_texts(a, meta, answered, "labels", err) != 0 || take_texts(a, meta, answered, "annotations", err) != 0)
		return err->code;
	json_set(a, converted, "metadata", meta);
	return 0;
}
