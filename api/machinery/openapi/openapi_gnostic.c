/* OpenAPI v2 pieces in gnostic's protobuf form (openapiv2/OpenAPIv2.proto of gnostic-models), which is the only form of
 * v2 that client-go reads.
 *
 * A piece, one definition or one path item, comes as a small JSON tree and is written by tables of member names: number
 * and form. Members that gnostic has no field for and that begin with "x-" are vendor extensions, whose value is YAML
 * text; JSON is YAML. Others are left out. */
#include "api/machinery/openapi/openapi_int.h"
#include "api/machinery/codec/wire.h"

#include "base/check.h"
#include "base/json/json.h"

#include <stdlib.h>

enum form {
	TEXT,
	TEXTS, /* an array of strings, repeated */
	FLAG,
	NUMBER,
	REAL,
	ANY,  /* message Any {yaml = 2} */
	ANYS, /* an array of Any */
	TYPE, /* TypeItem {value = 1} */
	SCHEMA,
	SCHEMAS,
	ITEMS,      /* ItemsItem {schema = 1} */
	ADDITIONAL, /* AdditionalPropertiesItem {schema = 1 | boolean = 2} */
	PROPERTIES, /* Properties {additional_properties = 1: NamedSchema} */
	OPERATION,
	PARAMETERS,
	RESPONSES,
};

struct member {
	const char *name;
	uint32_t number;
	enum form form;
};

static const struct member schema_members[] = {{"$ref", 1, TEXT}, {"format", 2, TEXT}, {"title", 3, TEXT},
        {"description", 4, TEXT}, {"default", 5, ANY}, {"multipleOf", 6, REAL}, {"maximum", 7, REAL},
        {"exclusiveMaximum", 8, FLAG}, {"minimum", 9, REAL}, {"exclusiveMinimum", 10, FLAG}, {"maxLength", 11, NUMBER},
        {"minLength", 12, NUMBER}, {"pattern", 13, TEXT}, {"maxItems", 14, NUMBER}, {"minItems", 15, NUMBER},
        {"uniqueItems", 16, FLAG}, {"maxProperties", 17, NUMBER}, {"minProperties", 18, NUMBER},
        {"required", 19, TEXTS}, {"enum", 20, ANYS}, {"additionalProperties", 21, ADDITIONAL}, {"type", 22, TYPE},
        {"items", 23, ITEMS}, {"allOf", 24, SCHEMAS}, {"properties", 25, PROPERTIES}, {"x-", 31, ANY}};

static const struct member item_members[] = {{"get", 2, OPERATION}, {"put", 3, OPERATION}, {"post", 4, OPERATION},
        {"delete", 5, OPERATION}, {"patch", 8, OPERATION}, {"parameters", 9, PARAMETERS}, {"x-", 10, ANY}};

static const struct member operation_members[] = {{"tags", 1, TEXTS}, {"description", 3, TEXT},
        {"operationId", 5, TEXT}, {"produces", 6, TEXTS}, {"consumes", 7, TEXTS}, {"parameters", 8, PARAMETERS},
        {"responses", 9, RESPONSES}, {"x-", 13, ANY}};

static const struct member body_members[] = {
        {"description", 1, TEXT}, {"name", 2, TEXT}, {"in", 3, TEXT}, {"required", 4, FLAG}, {"schema", 5, SCHEMA}};

static const struct member query_members[] = {{"required", 1, FLAG}, {"in", 2, TEXT}, {"description", 3, TEXT},
        {"name", 4, TEXT}, {"type", 6, TEXT}, {"uniqueItems", 20, FLAG}};

static const struct member path_members[] = {{"required", 1, FLAG}, {"in", 2, TEXT}, {"description", 3, TEXT},
        {"name", 4, TEXT}, {"type", 5, TEXT}, {"uniqueItems", 19, FLAG}};

static void put_value(struct strbuf *out, uint32_t number, enum form form, const struct json *v);

static void put_any(struct strbuf *out, uint32_t number, const struct json *v)
{
	struct strbuf yaml = STRBUF_INIT;
	json_write(&yaml, v);
	size_t mark = wire_begin(out, number);
	wire_put_bytes(out, 2, strbuf_slice(&yaml));
	wire_end(out, mark);
	strbuf_release(&yaml);
}

static void put_extension(struct strbuf *out, uint32_t number, const struct json *v)
{
	size_t mark = wire_begin(out, number);
	wire_put_bytes(out, 1, v->key);
	put_any(out, 2, v);
	wire_end(out, mark);
}

static void put_members(struct strbuf *out, const struct member *members, size_t n, const struct json *obj)
{
	JSON_FOREACH (it, obj)
		for (size_t i = 0; i < n; i++) {
			if (slice_is(it->key, members[i].name)) {
				put_value(out, members[i].number, members[i].form, it);
				break;
			}
			if (strcmp(members[i].name, "x-") == 0 && slice_starts(it->key, "x-"))
				put_extension(out, members[i].number, it);
		}
}

static void put_message(
        struct strbuf *out, uint32_t number, const struct member *members, size_t n, const struct json *obj)
{
	size_t mark = wire_begin(out, number);
	put_members(out, members, n, obj);
	wire_end(out, mark);
}

static void put_schema(struct strbuf *out, uint32_t number, const struct json *v)
{
	put_message(out, number, schema_members, COUNT_OF(schema_members), v);
}

void openapi_gnostic_definition(struct strbuf *out, uint32_t number, struct slice name, const struct json *schema)
{
	size_t mark = wire_begin(out, number);
	wire_put_bytes(out, 1, name);
	put_schema(out, 2, schema);
	wire_end(out, mark);
}

static void put_real(struct strbuf *out, uint32_t number, const struct json *v)
{
	char text[64] = "";
	if (v->text.len < sizeof(text))
		memcpy(text, v->text.ptr, v->text.len);
	double d = strtod(text, NULL);
	uint64_t bits;
	memcpy(&bits, &d, sizeof(bits));
	char bytes[8];
	for (int i = 0; i < 8; i++)
		bytes[i] = (char)(bits >> (8 * i));
	wire_put_tag(out, number, WIRE_FIXED64);
	strbuf_add(out, bytes, 8);
}

/* ParametersItem {parameter = 1 {body_parameter = 1 | non_body_parameter = 2 {query = 3 | path = 4}}}. */
static void put_parameter(struct strbuf *out, uint32_t number, const struct json *v)
{
	size_t item = wire_begin(out, number);
	size_t parameter = wire_begin(out, 1);
	struct slice in = json_get_str(v, "in");
	if (slice_is(in, "body")) {
		put_message(out, 1, body_members, COUNT_OF(body_members), v);
	} else {
		size_t mark = wire_begin(out, 2);
		if (slice_is(in, "path"))
			put_message(out, 4, path_members, COUNT_OF(path_members), v);
		else
			put_message(out, 3, query_members, COUNT_OF(query_members), v);
		wire_end(out, mark);
	}
	wire_end(out, parameter);
	wire_end(out, item);
}

/* Responses {response_code = 1 {name = 1, value = 2 {response = 1 {description = 1, schema = 2 {schema = 1}}}}}. */
static void put_response(struct strbuf *out, const struct json *v)
{
	size_t named = wire_begin(out, 1);
	wire_put_bytes(out, 1, v->key);
	size_t value = wire_begin(out, 2);
	size_t response = wire_begin(out, 1);
	wire_put_bytes(out, 1, json_get_str(v, "description"));
	const struct json *schema = json_get(v, "schema");
	if (schema) {
		size_t item = wire_begin(out, 2);
		put_schema(out, 1, schema);
		wire_end(out, item);
	}
	wire_end(out, response);
	wire_end(out, value);
	wire_end(out, named);
}

static void put_additional(struct strbuf *out, uint32_t number, const struct json *v)
{
	size_t mark = wire_begin(out, number);
	if (v->type == JSON_OBJECT)
		put_schema(out, 1, v);
	else
		wire_put_uint(out, 2, json_bool(v, false));
	wire_end(out, mark);
}

static void put_wrapped(struct strbuf *out, uint32_t number, enum form form, const struct json *v)
{
	size_t mark = wire_begin(out, number);
	if (form == TYPE)
		wire_put_bytes(out, 1, json_str(v));
	else if (form == ITEMS)
		put_schema(out, 1, v);
	else
		JSON_FOREACH (it, v) {
			if (form == PROPERTIES)
				openapi_gnostic_definition(out, 1, it->key, it);
			else
				put_response(out, it);
		}
	wire_end(out, mark);
}

static void put_elements(struct strbuf *out, uint32_t number, enum form form, const struct json *v)
{
	JSON_FOREACH (it, v) {
		if (form == TEXTS)
			wire_put_bytes(out, number, json_str(it));
		else if (form == ANYS)
			put_any(out, number, it);
		else if (form == SCHEMAS)
			put_schema(out, number, it);
		else
			put_parameter(out, number, it);
	}
}

static void put_value(struct strbuf *out, uint32_t number, enum form form, const struct json *v)
{
	switch (form) {
	case TEXT:
		wire_put_bytes(out, number, json_str(v));
		break;
	case FLAG:
		wire_put_uint(out, number, json_bool(v, false));
		break;
	case NUMBER:
		wire_put_uint(out, number, (uint64_t)json_int(v, 0));
		break;
	case REAL:
		put_real(out, number, v);
		break;
	case ANY:
		put_any(out, number, v);
		break;
	case SCHEMA:
		put_schema(out, number, v);
		break;
	case OPERATION:
		put_message(out, number, operation_members, COUNT_OF(operation_members), v);
		break;
	case ADDITIONAL:
		put_additional(out, number, v);
		break;
	case TYPE:
	case ITEMS:
	case PROPERTIES:
	case RESPONSES:
		put_wrapped(out, number, form, v);
		break;
	case TEXTS:
	case ANYS:
	case SCHEMAS:
	case PARAMETERS:
		put_elements(out, number, form, v);
		break;
	}
}

void openapi_gnostic_path(struct strbuf *out, uint32_t number, struct slice name, const struct json *item)
{
	size_t mark = wire_begin(out, number);
	wire_put_bytes(out, 1, name);
	put_message(out, 2, item_members, COUNT_OF(item_members), item);
	wire_end(out, mark);
}
