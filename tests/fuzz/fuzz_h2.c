/* Any bytes as the frames of an HTTP/2 connection, behind the preface and an empty SETTINGS. */
#include "tests/fuzz/fuzz_http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char prefix[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
	return fuzz_feed(prefix, sizeof prefix - 1, data, size);
}
