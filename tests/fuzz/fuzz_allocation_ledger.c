/* What containers were given: what is read has an object for each, and is written as it was read. */
#include "base/check.h"
#include "node/allocation/allocation_ledger_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct allocation_ledger l = {.count = 0}, again = {.count = 0};
	struct strbuf b = STRBUF_INIT;
	struct err err = ERR_INIT;
	if (allocation_ledger_read(&l, (struct slice){(const char *)data, size}, &err) == 0) {
		allocation_ledger_write(&l, &b);
		CHECK(allocation_ledger_read(&again, strbuf_slice(&b), &err) == 0 && again.count == l.count);
	} else {
		CHECK(err.msg[0] && !l.count);
	}
	strbuf_release(&b);
	allocation_ledger_release(&l);
	allocation_ledger_release(&again);
	return 0;
}
