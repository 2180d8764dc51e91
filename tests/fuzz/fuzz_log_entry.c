/* Entries of a shared log, as a database of somebody else gives them: taken apart or refused; and what was taken apart
 * is the same when it is put together again. */
#include "store/engine/log_entry_int.h"

#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int read_all(struct slice bytes, struct strbuf *plain)
{
	struct log_entry_reader r;
	struct log_item item;
	struct err err = ERR_INIT;
	int rc = log_entry_open(&r, bytes, &err);
	while (rc == 0 && (rc = log_entry_next(&r, &item, &err)) > 0) {
		struct store_request req = {0};
		struct command_head head;
		struct err unused = ERR_INIT;
		if (item.kind == LOG_ITEM_COMMAND)
			command_decode(item.command, &head, &req, &unused);
		store_request_release(&req);
		log_item_add(plain, &item);
		rc = 0;
	}
	log_entry_close(&r);
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strbuf plain = STRBUF_INIT, again = STRBUF_INIT, packed = STRBUF_INIT;
	if (read_all((struct slice){(const char *)data, size}, &plain) == 0 && plain.len) {
		log_entry_pack(&packed, strbuf_slice(&plain));
		CHECK(read_all(strbuf_slice(&packed), &again) == 0);
		CHECK(slice_eq(strbuf_slice(&plain), strbuf_slice(&again)));
	}
	strbuf_release(&plain);
	strbuf_release(&again);
	strbuf_release(&packed);
	return 0;
}
