/* registries.yaml: what comes out is a name of one folder and lines that no text of the file can have broken out of. */
#include "base/check.h"
#include "tools/k3x/registries/registries.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Outside of quotes there are no control characters but line breaks, and quotes are closed in their line. */
static void check_text(const char *text)
{
	bool in_quotes = false;
	for (; *text; text++) {
		if (in_quotes && *text == '\\')
			text++;
		else if (*text == '"')
			in_quotes = !in_quotes;
		CHECK(*text && ((unsigned char)*text >= 0x20 || (*text == '\n' && !in_quotes)));
	}
	CHECK(!in_quotes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	struct registry_hosts *hosts;
	size_t n;
	bool without_default = size && data[0] == '#';
	if (registries_parse(&a, (struct slice){(const char *)data, size}, without_default, NULL, &hosts, &n, &err) ==
	        0) {
		for (size_t i = 0; i < n; i++) {
			CHECK(*hosts[i].folder && *hosts[i].folder != '.' && !strchr(hosts[i].folder, '/'));
			check_text(hosts[i].text);
		}
	} else {
		CHECK(err.msg[0]);
	}
	arena_release(&a);
	return 0;
}
