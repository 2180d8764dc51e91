/* Any bytes as the lines in which a migration remembers what it has sent. */
#include "tools/moving/sent_parts.h"

#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sent_parts s = {0};
	struct slice rest = {(const char *)data, size};
	while (rest.len) {
		struct slice line = slice_cut(&rest, '\n');
		size_t before = s.n;
		bool is_good = sent_parts_read(&s, line);
		CHECK(s.n == before || (is_good && s.n == before + 1));
		CHECK(s.n <= s.cap && s.cap <= 2 * (size_t)SENT_PARTS_MAX);
	}
	sent_parts_close(&s);
	return 0;
}
