/* Request targets: a line with the method, then path and query. Parts are decoded without zero bytes, a resource has
 * the parts its verb needs, and what was decoded can be encoded again. */
#include "api/server/route.h"
#include "base/check.h"
#include "base/wire/http.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_part(struct arena *a, struct slice s)
{
	struct strbuf b = STRBUF_INIT;
	struct slice again;
	CHECK(!s.len || !memchr(s.ptr, 0, s.len));
	http_encode(&b, s);
	CHECK(http_decode(a, strbuf_slice(&b), false, &again) && slice_eq(again, s));
	strbuf_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = ARENA_INIT;
	struct slice rest = {(const char *)data, size}, method = slice_cut(&rest, '\n'), path = slice_cut(&rest, '?'),
	             name, value;
	struct route r;
	struct err err = ERR_INIT;
	if (path.len && path.ptr[0] == '/') { /* the protocols refuse others */
		int rc = route_parse(&a, path, method, false, &r, &err);
		CHECK(rc == 0 || err.code == rc);
		check_part(&a, r.ns);
		check_part(&a, r.name);
		CHECK(rc != 0 || !r.is_resource || (r.resource && r.verb));
	}
	for (int i = 0; i < 64 && http_query_next(&a, &rest, &name, &value); i++) {
		check_part(&a, name);
		check_part(&a, value);
	}
	arena_release(&a);
	return 0;
}
