/* Links in HTML of other servers: the same whatever pieces it comes in. */
#include "api/server/passing/links.h"

#include "base/check.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct links_place place = {"/p", "h:1", {"k", 1}};

static void rewrite(struct slice text, size_t step, struct strbuf *out)
{
	struct links *l = links_new(&place);
	for (size_t i = 0; i < text.len; i += step)
		links_rewrite(l, (struct slice){text.ptr + i, text.len - i < step ? text.len - i : step}, false, out);
	links_rewrite(l, SLICE_NULL, true, out);
	links_free(l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = {(const char *)data, size};
	struct strbuf whole = STRBUF_INIT, pieces = STRBUF_INIT;
	rewrite(text, size ? size : 1, &whole);
	rewrite(text, size ? 1 + data[0] % 7 : 1, &pieces);
	CHECK(slice_eq(strbuf_slice(&whole), strbuf_slice(&pieces)));
	strbuf_release(&whole);
	strbuf_release(&pieces);
	return 0;
}
