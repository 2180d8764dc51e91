/* Any bytes as a WebAssembly module. */
#include "node/wasm/module/module.h"

#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = ERR_INIT;
	struct slice bytes = {(const char *)data, size};
	int rc = wasm_module_check(bytes, &err);
	CHECK(rc == err.code && (rc == 0 || *err.msg));
	CHECK(rc != 0 || wasm_module_is(bytes));
	return 0;
}
