/* Expressions in CEL: bytes that compile or are refused with words, and then run within the budget over a small object,
 * to the same end twice. */
#include "base/cel/library.h"

#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char object[] =
        "{\"s\":\"text\",\"n\":3,\"d\":1.5,\"l\":[1,2,3],\"m\":{\"a\":{\"b\":[\"x\"]}},\"t\":true,\"z\":null}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct arena kept;
	static const struct cel_env *env;
	struct arena a = ARENA_INIT;
	struct strbuf words = STRBUF_INIT;
	const struct cel_variable vars[] = {{"self", &cel_type_dyn}};
	if (!env)
		env = cel_env_new(&kept, NULL, 0);
	const struct cel_program *p = cel_compile(&a, env, vars, 1, (struct slice){(const char *)data, size}, &words);
	CHECK(!p == (words.len > 0));
	if (p) {
		struct cel_value self = cel_of_json(&a, json_parse(&a, slice_of(object), NULL, NULL), NULL);
		struct cel_run r = {.arena = &a, .variables = &self, .cost_max = 100000}, again = r;
		struct cel_value v = cel_run(p, &r), w = cel_run(p, &again);
		CHECK(v.kind == w.kind && r.cost == again.cost);
		CHECK(v.kind != CEL_DYN);
		cel_show(&r, v);
	}
	strbuf_release(&words);
	arena_release(&a);
	return 0;
}
