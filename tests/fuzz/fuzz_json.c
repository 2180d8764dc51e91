/* JSON: the scanner and the tree must agree on what is JSON and on what it says, and what the tree writes must parse to
 * an equal tree. */
#include "base/check.h"
#include "base/json/json.h"
#include "base/json/scan.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_duplicate(void *arg, const char *path, size_t offset)
{
	*(bool *)arg = true;
}

static void same_string(struct slice raw, struct slice text)
{
	char *plain = malloc(raw.len + 1);
	CHECK(plain != NULL);
	size_t n = json_unescape(plain, raw);
	CHECK(slice_eq((struct slice){plain, n}, text));
	free(plain);
}

/* The value ahead of the scanner is the tree `v`. The tree of an object with a repeated name has fewer members; such
 * texts do not come here. */
static void same_value(struct json_scan *s, const struct json *v)
{
	static const enum json_type types[] = {[JSON_TOKEN_NULL] = JSON_NULL,
	        [JSON_TOKEN_TRUE] = JSON_BOOL,
	        [JSON_TOKEN_FALSE] = JSON_BOOL,
	        [JSON_TOKEN_NUMBER] = JSON_NUMBER,
	        [JSON_TOKEN_STRING] = JSON_STRING,
	        [JSON_TOKEN_ARRAY] = JSON_ARRAY,
	        [JSON_TOKEN_OBJECT] = JSON_OBJECT};
	enum json_token t = json_scan_next(s);
	CHECK(t != JSON_TOKEN_END && types[t] == v->type);
	if (t == JSON_TOKEN_TRUE || t == JSON_TOKEN_FALSE)
		CHECK(v->boolean == (t == JSON_TOKEN_TRUE));
	if (t == JSON_TOKEN_NUMBER)
		CHECK(slice_eq(s->text, v->text));
	if (t == JSON_TOKEN_STRING)
		same_string(s->text, v->text);
	if (t != JSON_TOKEN_ARRAY && t != JSON_TOKEN_OBJECT)
		return;
	JSON_FOREACH (it, v) {
		CHECK(t == JSON_TOKEN_OBJECT ? json_scan_member(s) : json_scan_element(s));
		if (t == JSON_TOKEN_OBJECT)
			same_string(s->key, it->key);
		same_value(s, it);
	}
	CHECK(!(t == JSON_TOKEN_OBJECT ? json_scan_member(s) : json_scan_element(s)) && !s->error);
}

static bool scans(struct slice text)
{
	struct json_scan s;
	json_scan_init(&s, text);
	return json_scan_skip(&s) && json_scan_at_end(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = ARENA_INIT;
	struct slice text = {(const char *)data, size};
	struct err err = ERR_INIT;
	bool duplicate = false;
	struct json_parse_options options = {on_duplicate, &duplicate};
	struct json *v = json_parse(&a, text, &options, &err);
	CHECK(scans(text) == (v != NULL));
	if (!v) {
		CHECK(err.code == ERR_INVAL && err.msg[0]);
	} else {
		struct strbuf out = STRBUF_INIT;
		json_write(&out, v);
		struct json *again = json_parse(&a, strbuf_slice(&out), NULL, &err);
		CHECK(again && json_equal(v, again));
		strbuf_release(&out);
		if (!duplicate) {
			struct json_scan s;
			json_scan_init(&s, text);
			same_value(&s, v);
			CHECK(json_scan_at_end(&s));
		}
	}
	arena_release(&a);
	return 0;
}
