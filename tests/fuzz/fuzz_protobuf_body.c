/* Protobuf bodies: whatever the bytes are, decoding answers with an object or an error. What was decoded must encode,
 * and decode again to the same object: what a client sends is what others read. The same bytes are tried as JSON too.
 */
#include "api/machinery/codec/decode.h"
#include "api/machinery/schema/resources.h"
#include "api/machinery/codec/transcode.h"

#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_protobuf(struct arena *a, struct slice body)
{
	struct err err = ERR_INIT;
	const struct schema_type *type = NULL;
	struct json *first = transcode_from_protobuf(a, body, NULL, &type, &err);
	if (!first) {
		CHECK(err.code == ERR_INVAL && err.msg[0]);
		return;
	}
	struct strbuf text = STRBUF_INIT;
	struct strbuf out = STRBUF_INIT;
	json_write(&text, first);
	/* invalid UTF-8 is mended by writing, so the text is what must survive */
	if (transcode_to_protobuf(&out, strbuf_slice(&text), &err) == 0) {
		struct json *second = transcode_from_protobuf(a, strbuf_slice(&out), NULL, NULL, &err);
		struct json *want = json_parse(a, strbuf_slice(&text), NULL, NULL);
		CHECK(second);
		CHECK(!want || json_equal(want, second));
	}
	strbuf_release(&text);
	strbuf_release(&out);
}

static void try_json(struct arena *a, struct slice body)
{
	struct err err = ERR_INIT;
	struct json *v = json_parse(a, body, NULL, &err);
	const struct schema_type *type =
	        v ? resource_kind_type(json_get_str(v, "apiVersion"), json_get_str(v, "kind")) : NULL;
	struct decode_problems problems;
	decode_problems_init(&problems, a);
	if (!type || decode_object(a, v, type, 0, &problems, &err) != 0)
		return;
	/* the form Go writes is a fixed point */
	struct json *again = json_copy(a, v);
	CHECK(decode_object(a, again, type, 0, &problems, &err) == 0);
	CHECK(json_equal(v, again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = ARENA_INIT;
	struct slice body = {(const char *)data, size};
	if (transcode_is_protobuf(body))
		try_protobuf(&a, body);
	else
		try_json(&a, body);
	arena_release(&a);
	return 0;
}
