/* Status objects: how every error of the API looks (metav1.Status), with upstream's reasons and words, which clients
 * match on. */
#include "api/server/status.h"

#include <stdio.h>

struct json *status_new(struct arena *a, int code, const char *reason, const char *message)
{
	struct json *s = json_new(a, JSON_OBJECT);
	json_set_cstr(a, s, "kind", "Status");
	json_set_cstr(a, s, "apiVersion", "v1");
	json_set(a, s, "metadata", json_new(a, JSON_OBJECT));
	json_set_cstr(a, s, "status", code < 300 ? "Success" : "Failure");
	if (*message)
		json_set_cstr(a, s, "message", message);
	if (*reason)
		json_set_cstr(a, s, "reason", reason);
	json_set_int(a, s, "code", code);
	return s;
}

static struct json *details_of(struct arena *a, const struct resource *r, struct slice name)
{
	struct json *d = json_new(a, JSON_OBJECT);
	if (name.len)
		json_set_str(a, d, "name", name);
	if (*r->group)
		json_set_cstr(a, d, "group", r->group);
	json_set_cstr(a, d, "kind", r->plural);
	return d;
}

/* Upstream's cause, by which clients know this refusal from others. */
static void add_terminating_cause(struct arena *a, struct json *details, struct slice ns)
{
	struct json *cause = json_new(a, JSON_OBJECT);
	json_set_cstr(a, cause, "reason", "NamespaceTerminating");
	json_set_cstr(a, cause, "message", arena_printf(a, "namespace %.*s is being terminated", SLICE_FMT(ns)));
	json_set_cstr(a, cause, "field", "metadata.namespace");
	json_append(json_need(a, details, "causes", JSON_ARRAY), cause);
}

/* Upstream's cause, by which informers know that they are ahead of this server and not that it is slow. */
static void add_future_cause(struct arena *a, struct json *details)
{
	struct json *cause = json_new(a, JSON_OBJECT);
	json_set_cstr(a, cause, "reason", "ResourceVersionTooLarge");
	json_set_cstr(a, cause, "message", "Too large resource version");
	json_append(json_need(a, details, "causes", JSON_ARRAY), cause);
	json_set_int(a, details, "retryAfterSeconds", 1);
}

/* kubectl shows causes alone. */
static void add_cause(struct arena *a, struct json *details, const struct resource *r, const char *message)
{
	struct json *causes = json_set(a, details, "causes", json_new(a, JSON_ARRAY)),
	            *cause = json_new(a, JSON_OBJECT);
	json_set_cstr(a, details, "kind", r->kind);
	json_set_cstr(a, cause, "reason", "FieldValueInvalid");
	json_set_cstr(a, cause, "message", message);
	json_set_cstr(a, cause, "field", "body");
	json_append(causes, cause);
}

struct json *status_from_err(struct arena *a, const struct err *err, const struct route *route)
{
	struct json *s = status_new(a, err_http_status(err->code), err_reason(err->code), err->msg);
	if (route->resource)
		json_set(a, s, "details", details_of(a, route->resource, route->name));
	if (route->resource && err->code == ERR_INVALID_OBJECT)
		add_cause(a, json_get(s, "details"), route->resource, err->msg);
	if (err->code == ERR_TERMINATING)
		add_terminating_cause(a, json_need(a, s, "details", JSON_OBJECT), route->ns);
	if (err->code == ERR_FUTURE_REVISION)
		add_future_cause(a, json_need(a, s, "details", JSON_OBJECT));
	if (err_may_retry(err->code) && err_http_status(err->code) == 429)
		json_set_int(a, json_need(a, s, "details", JSON_OBJECT), "retryAfterSeconds", 1);
	return s;
}

static const char *resource_label(const struct resource *r, char *buf, size_t size)
{
	snprintf(buf, size, "%s%s%s", r->plural, *r->group ? "." : "", r->group);
	return buf;
}

int status_not_found(struct err *err, const struct resource *r, struct slice name)
{
	char label[256];
	return err_set(
	        err, ERR_NOT_FOUND, "%s \"%.*s\" not found", resource_label(r, label, sizeof label), SLICE_FMT(name));
}

int status_exists(struct err *err, const struct resource *r, struct slice name)
{
	char label[256];
	return err_set(
	        err, ERR_EXISTS, "%s \"%.*s\" already exists", resource_label(r, label, sizeof label), SLICE_FMT(name));
}

int status_conflict(struct err *err, const struct resource *r, struct slice name)
{
	char label[256];
	return err_set(err, ERR_CONFLICT,
	        "Operation cannot be fulfilled on %s \"%.*s\": the object has been modified; please apply your changes "
	        "to the "
	        "latest version and try again",
	        resource_label(r, label, sizeof label), SLICE_FMT(name));
}

static struct json *causes_of(struct arena *a, const struct field_errors *errors)
{
	struct json *causes = json_new(a, JSON_ARRAY);
	for (size_t i = 0; i < errors->count; i++) {
		struct json *c = json_new(a, JSON_OBJECT);
		json_set_cstr(a, c, "reason", errors->items[i].reason);
		json_set_cstr(a, c, "message", errors->items[i].message);
		json_set_cstr(a, c, "field", errors->items[i].field);
		json_append(causes, c);
	}
	return causes;
}

struct json *status_invalid(
        struct arena *a, const struct resource *r, struct slice name, const struct field_errors *errors)
{
	struct strbuf m = STRBUF_INIT;
	strbuf_addf(&m, "%s%s%s \"%.*s\" is invalid: ", r->kind, *r->group ? "." : "", r->group, SLICE_FMT(name));
	if (errors->count > 1)
		strbuf_addc(&m, '[');
	for (size_t i = 0; i < errors->count; i++)
		strbuf_addf(&m, "%s%s: %s", i ? ", " : "", errors->items[i].field, errors->items[i].message);
	if (errors->count > 1)
		strbuf_addc(&m, ']');
	struct json *s = status_new(a, 422, "Invalid", strbuf_cstr(&m));
	struct json *details = json_new(a, JSON_OBJECT);
	json_set_str(a, details, "name", name);
	if (*r->group)
		json_set_cstr(a, details, "group", r->group);
	json_set_cstr(a, details, "kind", r->kind);
	json_set(a, details, "causes", causes_of(a, errors));
	json_set(a, s, "details", details);
	strbuf_release(&m);
	return s;
}

struct json *status_success(struct arena *a, const struct resource *r, struct slice name, struct slice uid)
{
	struct json *s = status_new(a, 200, "", "");
	json_del(s, "code");
	struct json *details = details_of(a, r, name);
	if (uid.len)
		json_set_str(a, details, "uid", uid);
	json_set(a, s, "details", details);
	return s;
}
