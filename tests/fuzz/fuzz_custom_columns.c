/* Columns of custom resources: a line with a version of a definition, then an object. Columns are made or refused with
 * words; what is printed is JSON. */
#include "api/machinery/table/custom_columns.h"

#include "base/check.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void print(struct arena *a, const struct custom_columns *c, struct json *object)
{
	struct strbuf out = STRBUF_INIT;
	struct cells cells = {.out = &out, .arena = a, .object = object, .now_s = 1};
	strbuf_addc(&out, '[');
	custom_columns_cells(&cells, c);
	strbuf_addc(&out, ']');
	CHECK(json_parse(a, strbuf_slice(&out), NULL, NULL) != NULL);
	strbuf_reset(&out);
	custom_columns_write(&out, c);
	CHECK(json_parse(a, strbuf_slice(&out), NULL, NULL) != NULL);
	strbuf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = ARENA_INIT;
	struct slice rest = {(const char *)data, size};
	struct json *version = json_parse(&a, slice_cut(&rest, '\n'), NULL, NULL),
	            *object = json_parse(&a, rest, NULL, NULL);
	const struct custom_columns *c = version ? custom_columns_new(&a, version) : NULL;
	if (c && object)
		print(&a, c, object);
	arena_release(&a);
	return 0;
}
