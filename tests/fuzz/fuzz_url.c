/* Addresses of servers, as flags and members name them: what is taken has a host and a port, and can be written again.
 */
#include "base/check.h"
#include "base/wire/url.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = ARENA_INIT;
	char *text = arena_memdup(&a, data, size);
	struct url url, again;
	struct err err = ERR_INIT;
	if (url_parse(&a, text, 0, &url, &err) != 0) {
		CHECK(err.code == ERR_INVAL && err.msg[0]);
	} else {
		bool is_v6 = strchr(url.host, ':') != NULL;
		CHECK(*url.host && url.port >= 0 && url.port <= 65535);
		const char *whole = arena_printf(&a, "%s://%s%s%s:%d", url.is_tls ? "https" : "http", is_v6 ? "[" : "",
		        url.host, is_v6 ? "]" : "", url.port);
		CHECK(url_parse(&a, whole, 0, &again, &err) == 0 && strcmp(again.host, url.host) == 0 &&
		        again.port == url.port);
	}
	err = ERR_INIT;
	if (url_parse_any(&a, text, 0, &url, &err) == 0)
		CHECK(*url.host && (!url.unix_path || (*url.unix_path && strlen(url.unix_path) < 108)));
	arena_release(&a);
	return 0;
}
