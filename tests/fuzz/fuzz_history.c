/* Histories: whatever the bytes are, loading answers with a history or with an error that names a line; what we write
 * of a history loads again as the same; pairing never trips over it. */
#include "base/check.h"
#include "jepsen/history.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip(const struct history *h)
{
	struct strbuf first = STRBUF_INIT, second = STRBUF_INIT;
	struct history again;
	struct err err = ERR_INIT;
	history_init(&again);
	history_write(h, &first);
	CHECK(history_parse(&again, strbuf_slice(&first), &err) == 0);
	history_write(&again, &second);
	CHECK(slice_eq(strbuf_slice(&first), strbuf_slice(&second)));
	history_release(&again);
	strbuf_release(&first);
	strbuf_release(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct history h;
	struct err err = ERR_INIT;
	history_init(&h);
	if (history_parse(&h, (struct slice){(const char *)data, size}, &err) != 0) {
		CHECK(err.code == ERR_INVAL && err.msg[0]);
	} else {
		struct arena a = ARENA_INIT;
		struct history_ops ops;
		struct strbuf text = STRBUF_INIT;
		round_trip(&h);
		if (history_pair(&h, &a, &ops, &err) == 0)
			CHECK(ops.count <= h.count);
		for (size_t i = 0; i < h.count; i++)
			history_describe(&h, i, &text);
		strbuf_release(&text);
		arena_release(&a);
	}
	history_release(&h);
	return 0;
}
