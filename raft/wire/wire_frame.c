/* See wire_frame.h. A frame that lies whole in what was read is handed on where it is; only a cut one is copied. */
#include "raft/wire/wire_frame.h"

#include "base/check.h"
#include "base/crc32c.h"

#include <inttypes.h>

#define HELLO_MAGIC UINT64_C(0x3172656570783358) /* "X3xpeer1" */
enum { HELLO_VERSION_AT = 7 };
#define REFUSAL_MAGIC "X3xrefu1"
enum { ADDRESS_BYTES_MAX = 255 };

void wire_frame_head(char ret[WIRE_FRAME_HEAD_BYTES], struct slice payload)
{
	CHECK(payload.len <= UINT32_MAX);
	uint32_t head[2] = {(uint32_t)payload.len, crc32c(0, payload.ptr, payload.len)};
	memcpy(ret, head, sizeof head);
}

/* Looks at what begins at data: 1 a whole frame of *payload, 0 more is needed (*need bytes in all), negative error. */
static int look(const struct wire_frame_reader *r, const char *data, size_t len, struct slice *payload, size_t *need,
        struct err *err)
{
	uint32_t head[2];
	*need = sizeof head;
	if (len < sizeof head)
		return 0;
	memcpy(head, data, sizeof head);
	if (head[0] > r->bytes_max)
		return err_set(err, ERR_TOO_BIG, "a frame of %u bytes: at most %zu are taken", head[0], r->bytes_max);
	*need += head[0];
	if (len < *need)
		return 0;
	*payload = (struct slice){data + sizeof head, head[0]};
	if (crc32c(0, payload->ptr, payload->len) != head[1])
		return err_set(err, ERR_PROTOCOL, "a frame of %u bytes was changed on its way", head[0]);
	return 1;
}

/* Completes the frame that was cut: takes from *data no more than belongs to it. */
static int feed_cut(struct wire_frame_reader *r, const char **data, size_t *len, struct slice *payload, struct err *err)
{
	size_t need;
	int rc;
	while ((rc = look(r, r->bytes.data, r->bytes.len, payload, &need, err)) == 0 && *len) {
		CHECK(need > r->bytes.len);
		size_t take = need - r->bytes.len < *len ? need - r->bytes.len : *len;
		strbuf_reserve(&r->bytes, need - r->bytes.len);
		strbuf_add(&r->bytes, *data, take);
		*data += take;
		*len -= take;
	}
	return rc;
}

int wire_frame_feed(struct wire_frame_reader *r, const char *data, size_t len,
        bool (*fn)(void *arg, struct slice payload), void *arg, size_t *ret_used, struct err *err)
{
	struct slice payload;
	const char *at = data;
	size_t rest = len, need;
	bool go_on = true;
	int rc = 1;
	CHECK(r->bytes_max > 0 && r->bytes.len < WIRE_FRAME_HEAD_BYTES + r->bytes_max);
	*ret_used = len;
	if (r->bytes.len) {
		rc = feed_cut(r, &at, &rest, &payload, err);
		if (rc <= 0)
			return rc;
		struct strbuf whole = r->bytes;
		r->bytes = STRBUF_INIT;
		go_on = fn(arg, payload);
		strbuf_release(&whole);
	}
	while (go_on && (rc = look(r, at, rest, &payload, &need, err)) == 1) {
		at += need;
		rest -= need;
		go_on = fn(arg, payload);
	}
	CHECK(at + rest == data + len);
	if (!go_on)
		*ret_used = len - rest;
	else if (rc == 0)
		strbuf_add(&r->bytes, at, rest);
	return rc < 0 ? rc : 0;
}

void wire_frame_reader_release(struct wire_frame_reader *r)
{
	strbuf_release(&r->bytes);
}

void wire_hello_encode(struct strbuf *out, const struct wire_hello *h)
{
	uint64_t words[] = {HELLO_MAGIC, (uint64_t)h->purpose, h->cluster_id, h->from, h->to};
	strbuf_add(out, words, sizeof words);
	strbuf_add_slice(out, h->address);
}

/* The magic's last character is the version, a digit. */
static bool is_of_newer(uint64_t magic)
{
	const uint64_t mask = UINT64_C(0xff) << 8 * HELLO_VERSION_AT;
	uint64_t version = magic >> 8 * HELLO_VERSION_AT;
	return (magic & ~mask) == (HELLO_MAGIC & ~mask) && version > '1' && version <= '9';
}

int wire_hello_decode(struct slice bytes, struct wire_hello *ret, struct err *err)
{
	uint64_t words[5];
	if (bytes.len < sizeof words || bytes.len > sizeof words + ADDRESS_BYTES_MAX)
		return err_set(err, ERR_PROTOCOL, "a greeting of %zu bytes", bytes.len);
	memcpy(words, bytes.ptr, sizeof words);
	if (is_of_newer(words[0]))
		return err_set(err, ERR_PROTOCOL,
		        "it speaks version %c of the protocol between servers and this program knows 1: upgrade the "
		        "older "
		        "of the two servers",
		        bytes.ptr[HELLO_VERSION_AT]);
	if (words[0] != HELLO_MAGIC || words[1] < WIRE_MESSAGES)
		return err_set(err, ERR_PROTOCOL, "it does not speak this protocol");
	if (words[1] > WIRE_QUESTION)
		return err_set(err, ERR_PROTOCOL,
		        "it asks for something (%" PRIu64
		        ") that this program does not know: upgrade the older of the two "
		        "servers",
		        words[1]);
	struct slice address = {bytes.ptr + sizeof words, bytes.len - sizeof words};
	if (address.len && memchr(address.ptr, 0, address.len))
		return err_set(err, ERR_PROTOCOL, "a greeting with a broken address");
	*ret = (struct wire_hello){words[2], words[3], words[4], (enum wire_purpose)words[1], address};
	return 0;
}

void wire_refusal_encode(struct strbuf *out, const char *why)
{
	size_t magic = strlen(REFUSAL_MAGIC), len = strlen(why);
	strbuf_adds(out, REFUSAL_MAGIC);
	strbuf_add(out, why, len < WIRE_REFUSAL_BYTES_MAX - magic ? len : WIRE_REFUSAL_BYTES_MAX - magic);
}

bool wire_refusal_decode(struct slice bytes, struct slice *ret_why)
{
	size_t magic = strlen(REFUSAL_MAGIC);
	if (bytes.len > WIRE_REFUSAL_BYTES_MAX || !slice_starts(bytes, REFUSAL_MAGIC))
		return false;
	*ret_why = (struct slice){bytes.ptr + magic, bytes.len - magic};
	return true;
}
