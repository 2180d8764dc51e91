/* ConfigMaps and Secrets: keys, sizes, what a Secret of some type must hold, and that what was declared immutable is.
 * Sizes are those of the values alone, decoded. Upstream: ValidateConfigMap and ValidateSecret in
 * pkg/apis/core/validation. */
#include "api/machinery/rules/groups/core/core_int.h"
#include "api/machinery/rules/fill.h"
#include "api/machinery/rules/checks.h"

#include "base/base64.h"
#include "base/check.h"

enum { OBJECT_DATA_BYTES_MAX = 1024 * 1024 };

static const char stays[] = "field is immutable when `immutable` is set";

/* ---- sizes ---- */

/* Of the bytes that a base64 text stands for; that it is one was seen to when it was decoded. */
static size_t decoded_len(struct slice text)
{
	size_t pads = slice_ends(text, "==") ? 2 : slice_ends(text, "=") ? 1 : 0;
	return text.len / 4 * 3 - pads;
}

static size_t check_data(struct field_errors *e, const char *field, const struct json *data, bool is_base64)
{
	size_t total = 0;
	JSON_FOREACH (it, data) {
		const char *bad = check_config_key(it->key);
		if (bad)
			bad_value(e, at(e, "%s[%.*s]", field, SLICE_FMT(it->key)), it->key, bad);
		total += is_base64 ? decoded_len(json_str(it)) : json_str(it).len;
	}
	return total;
}

static void check_size(struct field_errors *e, const char *field, size_t total)
{
	if (total > OBJECT_DATA_BYTES_MAX)
		field_error_add(e, "FieldValueTooLong", field, "Too long: may not be more than 1048576 bytes");
}

/* ---- what stays ---- */

static bool same(const struct json *x, const struct json *y)
{
	bool x_empty = !x || !x->first, y_empty = !y || !y->first;
	return (x_empty && y_empty) || json_equal(x, y);
}

static void check_frozen(struct field_errors *e, const struct json *object, const struct json *old)
{
	static const char *const members[] = {"data", "binaryData"};
	if (!json_get_bool(old, "immutable", false))
		return;
	if (!json_get_bool(object, "immutable", false))
		bad_forbidden(e, "immutable", stays);
	for (size_t i = 0; i < COUNT_OF(members); i++)
		if (!same(json_get(object, members[i]), json_get(old, members[i])))
			bad_forbidden(e, members[i], stays);
}

/* ---- ConfigMap ---- */

void validate_config_map(struct field_errors *e, const struct json *object, const struct json *old)
{
	struct json *data = json_get(object, "data"), *binary = json_get(object, "binaryData");
	struct json_index members;
	size_t total = check_data(e, "data", data, false) + check_data(e, "binaryData", binary, true);
	json_index_init(&members, binary);
	JSON_FOREACH (it, data)
		if (json_index_get(&members, it->key))
			bad_value(e, at(e, "data[%.*s]", SLICE_FMT(it->key)), it->key,
			        "duplicate of key present in binaryData");
	json_index_release(&members);
	check_size(e, "", total);
	if (old)
		check_frozen(e, object, old);
}

/* ---- Secret ---- */

void secret_defaults(struct arena *a, struct json *o)
{
	default_str(a, o, "type", "Opaque");
}

/* stringData is written only: its values move into data. */
void secret_string_data(struct arena *a, struct json *object)
{
	struct json *plain = json_get(object, "stringData");
	if (!json_is(plain, JSON_OBJECT))
		return;
	struct json *data = json_need(a, object, "data", JSON_OBJECT);
	JSON_FOREACH (it, plain)
		json_set_slice(a, data, it->key, json_new_str(a, base64_encode(a, json_str(it))));
	json_del(object, "stringData");
}

void secret_update(struct arena *a, struct json *object, const struct json *old, const char *sub)
{
	secret_string_data(a, object);
}

/* Go's words, as far as they can be said without its decoder. NULL: it is an object, or null. */
static const char *json_object_error(struct field_errors *e, struct slice text)
{
	static const char *const kinds[] = {
	        [JSON_BOOL] = "bool", [JSON_NUMBER] = "number", [JSON_STRING] = "string", [JSON_ARRAY] = "array"};
	struct json_parse_options any = {0};
	struct err err = ERR_INIT;
	struct slice rest = slice_trim(text);
	if (!rest.len)
		return "unexpected end of JSON input";
	const struct json *v = json_parse(e->arena, rest, &any, &err);
	if (!v)
		return at(e, "invalid character '%c' looking for beginning of value", rest.ptr[0]);
	return v->type == JSON_OBJECT || v->type == JSON_NULL
	               ? NULL
	               : at(e, "json: cannot unmarshal %s into Go value of type map[string]interface {}",
	                         kinds[v->type]);
}

static void check_present(struct field_errors *e, const struct json *data, const char *key)
{
	if (!json_get(data, key))
		bad_required(e, at(e, "data[%s]", key), "");
}

/* Where a registry's accounts stand. */
static void check_accounts(struct field_errors *e, const struct json *data, const char *key)
{
	const struct json *v = json_get(data, key);
	struct slice text;
	check_present(e, data, key);
	if (!v || !base64_decode(e->arena, json_str(v), &text))
		return;
	const char *bad = json_object_error(e, text);
	if (bad)
		bad_value(e, at(e, "data[%s]", key), SLICE("<secret contents redacted>"), bad);
}

static void check_basic_auth(struct field_errors *e, const struct json *data)
{
	if (json_get(data, "username") || json_get(data, "password"))
		return;
	check_present(e, data, "username");
	check_present(e, data, "password");
}

static void check_type(struct field_errors *e, const struct json *object)
{
	static const char account[] = "kubernetes.io/service-account.name";
	const struct json *data = json_get(object, "data"), *notes = json_path(object, "metadata", "annotations", NULL);
	struct slice type = json_get_str(object, "type");
	if (slice_is(type, "kubernetes.io/service-account-token")) {
		if (!json_get_str(notes, account).len)
			bad_required(e, at(e, "metadata.annotations[%s]", account), "");
	} else if (slice_is(type, "kubernetes.io/dockercfg")) {
		check_accounts(e, data, ".dockercfg");
	} else if (slice_is(type, "kubernetes.io/dockerconfigjson")) {
		check_accounts(e, data, ".dockerconfigjson");
	} else if (slice_is(type, "kubernetes.io/basic-auth")) {
		check_basic_auth(e, data);
	} else if (slice_is(type, "kubernetes.io/ssh-auth")) {
		if (!json_get_str(data, "ssh-privatekey").len)
			bad_required(e, "data[ssh-privatekey]", "");
	} else if (slice_is(type, "kubernetes.io/tls")) {
		check_present(e, data, "tls.crt");
		check_present(e, data, "tls.key");
	}
}

void validate_secret(struct field_errors *e, const struct json *object, const struct json *old)
{
	check_size(e, "data", check_data(e, "data", json_get(object, "data"), true));
	check_type(e, object);
	if (!old)
		return;
	check_immutable(e, "type", json_get(object, "type"), json_get(old, "type"));
	check_frozen(e, object, old);
}
