/* See webhook_review.h. Upstream: apiserver pkg/admission/plugin/webhook/request and errors. */
#include "api/server/admission/webhooks/webhook_review.h"

#include "base/base64.h"

#define API_VERSION(version) "admission.k8s.io/%s", (version)

enum { STATUS_LEAST = 400, STATUS_MOST = 599 };

/* ---- the question ---- */

static void add_object(struct strbuf *out, const char *name, const struct json *object)
{
	strbuf_addf(out, ",\"%s\":", name);
	if (object)
		json_write(out, object);
	else
		strbuf_adds(out, "null");
}

void webhook_review_write(struct strbuf *out, const char *version, const char *uid, const struct json *request,
        const struct json *object, const struct json *old)
{
	strbuf_adds(out, "{\"kind\":\"AdmissionReview\",\"apiVersion\":\"");
	strbuf_addf(out, API_VERSION(version));
	strbuf_adds(out, "\",\"request\":{\"uid\":");
	json_write_str(out, slice_of(uid));
	JSON_FOREACH (it, request) {
		if (it->type == JSON_STRING && !it->text.len)
			continue;
		strbuf_addc(out, ',');
		json_write_str(out, it->key);
		strbuf_addc(out, ':');
		json_write(out, it);
	}
	add_object(out, "object", object);
	add_object(out, "oldObject", old);
	strbuf_adds(out, "}}");
}

/* ---- the answer ---- */

static int check_patch(const struct json *response, bool is_v1, bool may_patch, struct slice patch, struct err *err)
{
	const struct json *type = json_get(response, "patchType");
	if (!may_patch && patch.len)
		return err_set(err, ERR_INVAL, "validating webhook may not return response.patch");
	if (!may_patch && json_str(type).ptr)
		return err_set(err, ERR_INVAL, "validating webhook may not return response.patchType");
	if (!is_v1)
		return 0;
	if (patch.len && !json_str(type).ptr)
		return err_set(err, ERR_INVAL, "webhook returned response.patch but not response.patchType");
	if (!patch.len && json_str(type).ptr)
		return err_set(err, ERR_INVAL, "webhook returned response.patchType but not response.patch");
	if (patch.len && !slice_is(json_str(type), "JSONPatch"))
		return err_set(err, ERR_INVAL, "invalid value of response.patchType \"%.*s\", expected \"JSONPatch\"",
		        SLICE_FMT(json_str(type)));
	return 0;
}

static int check_frame(const struct json *v, const char *version, const char *uid, struct err *err)
{
	const struct json *response = json_get(v, "response");
	struct slice kind = json_get_str(v, "kind"), api = json_get_str(v, "apiVersion"),
	             group_version = slice_of("admission.k8s.io/v1");
	bool is_v1 = strcmp(version, "v1") == 0;
	if (is_v1 && (!slice_is(kind, "AdmissionReview") || !slice_eq(api, group_version)))
		return err_set(err, ERR_INVAL,
		        "expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got %.*s, Kind=%.*s",
		        SLICE_FMT(api), SLICE_FMT(kind));
	if (!json_is(response, JSON_OBJECT))
		return err_set(err, ERR_INVAL, "webhook response was absent");
	if (is_v1 && !slice_is(json_get_str(response, "uid"), uid))
		return err_set(err, ERR_INVAL, "expected response.uid=\"%s\", got \"%.*s\"", uid,
		        SLICE_FMT(json_get_str(response, "uid")));
	return 0;
}

/* A member of that type; *ret NULL when it is absent or null. */
static int take(const struct json *v, const char *name, enum json_type type, const struct json **ret, struct err *err)
{
	const struct json *it = json_get(v, name);
	*ret = json_is(it, type) ? it : NULL;
	if (it && !*ret && it->type != JSON_NULL)
		return err_set(err, ERR_INVAL, "response.%s is of type %s, expected %s", name, json_type_name(it->type),
		        json_type_name(type));
	return 0;
}

static int check_texts(const struct json *list, const char *name, struct err *err)
{
	JSON_FOREACH (it, list)
		if (it->type != JSON_STRING)
			return err_set(err, ERR_INVAL, "response.%s has a value of type %s, expected string", name,
			        json_type_name(it->type));
	return 0;
}

int webhook_answer_read(struct arena *a, struct slice text, const char *version, const char *uid, bool may_patch,
        struct webhook_answer *ret, struct err *err)
{
	const struct json *v = json_parse(a, text, NULL, err), *response = json_get(v, "response"), *patch, *allowed;
	*ret = (struct webhook_answer){0};
	if (!v || check_frame(v, version, uid, err) != 0)
		return err->code;
	if (take(response, "allowed", JSON_BOOL, &allowed, err) != 0 ||
	        take(response, "status", JSON_OBJECT, &ret->status, err) != 0 ||
	        take(response, "patch", JSON_STRING, &patch, err) != 0 ||
	        take(response, "warnings", JSON_ARRAY, &ret->warnings, err) != 0 ||
	        take(response, "auditAnnotations", JSON_OBJECT, &ret->annotations, err) != 0 ||
	        check_texts(ret->warnings, "warnings", err) != 0 ||
	        check_texts(ret->annotations, "auditAnnotations", err) != 0)
		return err->code;
	ret->is_allowed = json_bool(allowed, false);
	if (patch && !base64_decode(a, json_str(patch), &ret->patch))
		return err_set(err, ERR_INVAL, "response.patch is not base64");
	return check_patch(response, strcmp(version, "v1") == 0, may_patch, ret->patch, err);
}

/* ---- the refusal ---- */

struct json *webhook_rejection(struct arena *a, const char *name, const struct json *status)
{
	struct json *s = json_new(a, JSON_OBJECT);
	struct slice message = json_get_str(status, "message"), reason = json_get_str(status, "reason");
	const struct json *details = json_get(status, "details");
	int64_t code = json_get_int(status, "code", 0);
	json_set_cstr(a, s, "kind", "Status");
	json_set_cstr(a, s, "apiVersion", "v1");
	json_set(a, s, "metadata", json_new(a, JSON_OBJECT));
	json_set_cstr(a, s, "status", "Failure");
	const char *words = arena_printf(a, "admission webhook \"%s\" denied the request%s%.*s", name,
	        message.len || reason.len ? ": " : " without explanation", SLICE_FMT(message.len ? message : reason));
	json_set_cstr(a, s, "message", words);
	if (reason.len)
		json_set_str(a, s, "reason", reason);
	if (json_is(details, JSON_OBJECT))
		json_set(a, s, "details", json_copy(a, details));
	json_set_int(a, s, "code", code < STATUS_LEAST ? STATUS_LEAST : code > STATUS_MOST ? 500 : code);
	return s;
}
