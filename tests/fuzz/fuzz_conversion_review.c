/* Answers of conversion webhooks: what is taken of them is the object that was asked about, in the version asked for,
 * with the server's metadata. */
#include "api/server/converting/conversion_review.h"
#include "base/check.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char original_text[] =
        "{\"apiVersion\":\"g/v1\",\"kind\":\"K\",\"metadata\":{\"name\":\"n\",\"namespace\":"
        "\"s\",\"uid\":\"u\",\"labels\":{\"a\":\"b\"}}}";

static void take(struct arena *a, struct json *converted, size_t index)
{
	struct json *original = json_literal(a, original_text);
	struct err err = ERR_INIT;
	int rc = conversion_review_take(a, original, "g/v2", converted, index, &err);
	CHECK(rc == err.code && (rc == 0 || err.msg[0]));
	if (rc != 0)
		return;
	const struct json *meta = json_get(converted, "metadata");
	CHECK(slice_is(json_get_str(converted, "apiVersion"), "g/v2") &&
	        slice_is(json_get_str(converted, "kind"), "K"));
	CHECK(slice_is(json_get_str(meta, "name"), "n") && slice_is(json_get_str(meta, "uid"), "u"));
	JSON_FOREACH (it, meta)
		CHECK(slice_is(it->key, "labels") || slice_is(it->key, "annotations") || it->type == JSON_STRING);
	JSON_FOREACH (it, json_get(meta, "labels"))
		CHECK(it->type == JSON_STRING);
}

static void read(struct slice text, const char *version)
{
	struct arena a = ARENA_INIT;
	const struct json *list = NULL;
	struct err err = ERR_INIT;
	size_t i = 0;
	if (conversion_review_read(&a, text, version, "u", &list, &err) == 0)
		for (struct json *it = list->first, *next; it; it = next) {
			next = it->next;
			take(&a, it, i++);
		}
	arena_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = {(const char *)data, size};
	read(text, "v1");
	read(text, "v1beta1");
	return 0;
}
