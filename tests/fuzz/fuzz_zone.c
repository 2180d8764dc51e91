/* Files of time zones: what is taken answers for any time. */
#include "base/check.h"
#include "base/time/zone.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	struct zone *z = NULL;
	int rc = zone_parse(&a, (struct slice){(const char *)data, size}, &z, &err);
	CHECK(rc == 0 ? z != NULL : rc == ERR_CORRUPT && err.msg[0]);
	for (int64_t t = -3000000000; z && t < 8000000000; t += 77777777)
		CHECK(zone_offset_s(z, t) == zone_offset_s(z, t));
	arena_release(&a);
	return 0;
}
