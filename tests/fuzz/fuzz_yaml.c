/* YAML: whatever the bytes are, parsing answers with a tree or with an error that names a line; what we write of a tree
 * is YAML of the same tree. */
#include "base/check.h"
#include "base/yaml.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip(struct arena *a, const struct json *v)
{
	struct strbuf out = STRBUF_INIT;
	struct err err = ERR_INIT;
	yaml_write(&out, v);
	struct json *again = yaml_parse(a, strbuf_slice(&out), NULL, &err);
	CHECK(again && json_equal(v, again));
	strbuf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = ARENA_INIT;
	struct slice text = {(const char *)data, size};
	struct err err = ERR_INIT;
	struct json *v = yaml_parse(&a, text, NULL, &err);
	if (v)
		round_trip(&a, v);
	else
		CHECK((err.code == ERR_INVAL || err.code == ERR_TOO_BIG) && err.msg[0]);
	struct json *all = yaml_parse_all(&a, text, NULL, &err);
	CHECK(!all || all->type == JSON_ARRAY);
	arena_release(&a);
	return 0;
}
