/* vol_data.json of a CSI volume: what is read names a driver that is the name of a folder, and a volume. */
#include "base/check.h"
#include "node/csi/record_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	struct csi_record r;
	if (record_read((struct slice){(const char *)data, size}, &a, &r, &err) == 0)
		CHECK(*r.driver && *r.driver != '.' && !strchr(r.driver, '/') && *r.handle);
	else
		CHECK(err.code);
	arena_release(&a);
	return 0;
}
