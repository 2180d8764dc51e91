/* Regular expressions: a line with a pattern, then a text. A pattern compiles or is refused with words; matching ends,
 * in time bounded by both, and says the same twice. */
#include "base/pattern.h"

#include "base/check.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	struct slice rest = {(const char *)data, size}, text = slice_cut(&rest, '\n');
	const struct pattern *p = pattern_compile(&a, text, &err);
	if (!p)
		CHECK(err.code == ERR_INVAL && err.msg[0]);
	else
		CHECK(pattern_matches(p, rest) == pattern_matches(p, rest));
	arena_release(&a);
	return 0;
}
