/* Files of static tokens. */
#include "api/server/auth/identity/token_file.h"
#include "base/check.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct token_file *f;
	struct err err = ERR_INIT;
	if (token_file_parse((struct slice){(const char *)data, size}, &f, &err) == 0) {
		CHECK(!token_file_user(f, SLICE("")));
		token_file_free(f);
	} else {
		CHECK(err.code == ERR_INVAL && err.msg[0]);
	}
	return 0;
}
