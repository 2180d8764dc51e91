/* Selectors: a line with the selector, then labels in JSON. Parsing answers with requirements or an error; matching by
 * the text and by the tree must agree. */
#include "api/machinery/schema/selector.h"
#include "base/check.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool all_strings(const struct json *labels)
{
	if (!json_is(labels, JSON_OBJECT))
		return false;
	JSON_FOREACH (it, labels)
		if (it->type != JSON_STRING)
			return false;
	return true;
}

static void match(struct arena *a, const struct label_selector *s, struct slice text)
{
	struct json *labels = json_parse(a, text, NULL, NULL);
	struct strbuf out = STRBUF_INIT;
	CHECK(label_selector_matches(s, SLICE_NULL) == label_selector_matches_tree(s, NULL));
	if (!all_strings(labels))
		return;
	json_write(&out, labels);
	CHECK(label_selector_matches(s, strbuf_slice(&out)) == label_selector_matches_tree(s, labels));
	strbuf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = ARENA_INIT;
	struct slice rest = {(const char *)data, size}, text = slice_cut(&rest, '\n');
	struct label_selector labels;
	struct field_selector fields;
	bool nothing;
	struct err err = ERR_INIT;
	if (label_selector_parse(&a, text, &labels, &err) == 0)
		match(&a, &labels, rest);
	else
		CHECK(err.code == ERR_INVAL && err.msg[0]);
	if (field_selector_parse(&a, text, &fields, &err) != 0)
		CHECK(err.code == ERR_INVAL);
	struct json *v = json_parse(&a, rest, NULL, NULL);
	if (v && label_selector_from_json(&a, v, &labels, &nothing, &err) == 0 && !nothing)
		match(&a, &labels, rest);
	arena_release(&a);
	return 0;
}
