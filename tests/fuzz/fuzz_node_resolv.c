/* Any bytes as a resolv.conf. */
#include "node/worker/resolv_conf_int.h"

#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void are_words(char *const *list, size_t n, size_t max)
{
	CHECK(n <= max);
	for (size_t i = 0; i < n; i++)
		CHECK(*list[i] && !strpbrk(list[i], " \t\r\n"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = ARENA_INIT;
	struct resolv_conf c = resolv_conf_parse(&a, (struct slice){(const char *)data, size});
	are_words(c.servers, c.n_servers, RESOLV_SERVERS_MAX);
	are_words(c.searches, c.n_searches, RESOLV_SEARCHES_MAX);
	are_words(c.options, c.n_options, RESOLV_OPTIONS_MAX);
	arena_release(&a);
	return 0;
}
