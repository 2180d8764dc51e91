/* An entry of a shared log: the commands that one server had ready at one time, and what it says about leading.
 *
 * The form lies in databases of others for as long as the log does: a byte says whether what follows is plain (0) or
 * the length of the plain bytes and one LZ4 block (1); then items, each a kind and its fields, as command.c writes
 * them. A kind that is not known is refused: a newer program wrote it. */
#include "store/engine/log_entry_int.h"

#include "base/check.h"
#include "base/limits.h"

#include <lz4.h>
#include <stdlib.h>

enum { PLAIN = 0, PACKED = 1, PACK_FROM_BYTES = 256 };

/* A batch of commands and one of the largest; and a bound for what a broken row claims. */
#define PLAIN_BYTES_MAX (2u * STORE_COMMAND_BYTES_MAX)

void log_item_add(struct strbuf *plain, const struct log_item *item)
{
	CHECK(item->kind != LOG_ITEM_COMMAND || item->command.len > 0);
	command_put(plain, item->kind);
	switch (item->kind) {
	case LOG_ITEM_COMMAND:
		command_put_bytes(plain, item->command);
		break;
	case LOG_ITEM_BEAT:
		command_put(plain, item->term);
		command_put(plain, item->index);
		command_put(plain, item->hash);
		break;
	case LOG_ITEM_LEAD:
	case LOG_ITEM_RESIGN:
		command_put(plain, item->term);
		break;
	case LOG_ITEM_KEEP_ALIVE:
		command_put(plain, (uint64_t)item->lease);
		break;
	}
}

void log_entry_pack(struct strbuf *out, struct slice plain)
{
	CHECK(out->len == 0 && plain.len > 0 && plain.len <= PLAIN_BYTES_MAX);
	if (plain.len >= PACK_FROM_BYTES) {
		int room = LZ4_compressBound((int)plain.len);
		command_put(out, PACKED);
		command_put(out, plain.len);
		strbuf_reserve(out, (size_t)room);
		int n = LZ4_compress_default(plain.ptr, out->data + out->len, (int)plain.len, room);
		if (n > 0 && (size_t)n < plain.len) {
			out->len += (size_t)n;
			out->data[out->len] = 0;
			return;
		}
		strbuf_reset(out);
	}
	command_put(out, PLAIN);
	strbuf_add_slice(out, plain);
}

static int broken(struct err *err)
{
	return err_set(err, ERR_CORRUPT, "an entry of the log is broken, or of a newer program");
}

int log_entry_open(struct log_entry_reader *r, struct slice bytes, struct err *err)
{
	*r = (struct log_entry_reader){.rest.rest = bytes};
	uint64_t form = command_get(&r->rest);
	if (!r->rest.is_bad && form == PLAIN)
		return 0;
	uint64_t len = command_get(&r->rest);
	if (r->rest.is_bad || form != PACKED || len == 0 || len > PLAIN_BYTES_MAX || r->rest.rest.len > PLAIN_BYTES_MAX)
		return broken(err);
	r->unpacked = malloc(len);
	if (!r->unpacked)
		return err_set(err, ERR_NOMEM, "no memory for an entry of the log");
	int n = LZ4_decompress_safe(r->rest.rest.ptr, r->unpacked, (int)r->rest.rest.len, (int)len);
	r->rest.rest = (struct slice){r->unpacked, len};
	return n == (int)len ? 0 : broken(err);
}

int log_entry_next(struct log_entry_reader *r, struct log_item *ret, struct err *err)
{
	if (r->rest.is_bad)
		return broken(err);
	if (r->rest.rest.len == 0)
		return 0;
	*ret = (struct log_item){.kind = (enum log_item_kind)command_get(&r->rest)};
	switch (ret->kind) {
	case LOG_ITEM_COMMAND:
		ret->command = command_get_bytes(&r->rest);
		break;
	case LOG_ITEM_BEAT:
		ret->term = command_get(&r->rest);
		ret->index = command_get(&r->rest);
		ret->hash = command_get(&r->rest);
		break;
	case LOG_ITEM_LEAD:
	case LOG_ITEM_RESIGN:
		ret->term = command_get(&r->rest);
		break;
	case LOG_ITEM_KEEP_ALIVE:
		ret->lease = (int64_t)command_get(&r->rest);
		break;
	default:
		r->rest.is_bad = true;
	}
	return r->rest.is_bad ? broken(err) : 1;
}

void log_entry_close(struct log_entry_reader *r)
{
	free(r->unpacked);
	*r = (struct log_entry_reader){0};
}
