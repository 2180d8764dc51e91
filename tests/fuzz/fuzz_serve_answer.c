/* Any bytes as what a member says to one that joins: what is understood names a member or says why not. */
#include "tools/store/serve/serve_settings.h"

#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct serve_told told;
	struct err err = ERR_INIT;
	if (serve_answer_parse((struct slice){(const char *)data, size}, &told, &err) == 0) {
		const struct serve_told *chosen = serve_answer_choose(&told, 1);
		CHECK(!chosen || (chosen == &told && told.leads));
	} else {
		CHECK(err.msg[0] != 0);
	}
	return 0;
}
