/* The checkpoint of devices: what is read can be written and read again, and has no device twice among pods. */
#include "base/check.h"
#include "node/devices/device_ledger_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct device_ledger l = {.grants_count = 0}, again = {.grants_count = 0};
	struct err err = ERR_INIT;
	struct strbuf b = STRBUF_INIT;
	if (device_ledger_read(&l, (struct slice){(const char *)data, size}, &err) == 0) {
		device_ledger_write(&l, &b);
		CHECK(device_ledger_read(&again, strbuf_slice(&b), &err) == 0 && again.grants_count == l.grants_count);
	} else {
		CHECK(err.msg[0] && !l.grants_count);
	}
	device_ledger_release(&l);
	device_ledger_release(&again);
	strbuf_release(&b);
	return 0;
}
