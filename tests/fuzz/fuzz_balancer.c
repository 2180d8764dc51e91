/* Any bytes as what a balancer reads of its servers: its own file, and an EndpointSlice. */
#include "base/json/json.h"
#include "net/balancer/endpoints.h"
#include "net/balancer/upstreams.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void follow(const char *const *addresses, size_t n)
{
	struct upstreams l;
	struct upstream *gone[BALANCER_SERVERS_MAX + 1];
	size_t n_gone;
	struct strbuf text = STRBUF_INIT;
	upstreams_init(&l, "10.0.0.1:6443");
	for (size_t k = 0; k < 2; k++) {
		upstreams_set(&l, addresses + (n ? k % n : 0), n ? n - k % n : 0, gone, &n_gone);
		while (n_gone)
			upstream_unref(gone[--n_gone]);
	}
	upstreams_choose(&l, 1, 3);
	upstreams_write(&l, &text);
	strbuf_release(&text);
	upstreams_release(&l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = {(const char *)data, size};
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	char *read[8];
	const char *list[8];
	size_t n;
	if (upstreams_read(text, read, 8, &n, &err) == 0) {
		follow((const char *const *)read, n);
		while (n)
			free(read[--n]);
	}
	n = 0;
	endpoints_of_slice(&a, json_parse(&a, text, NULL, &err), list, 8, &n);
	follow(list, n);
	arena_release(&a);
	return 0;
}
