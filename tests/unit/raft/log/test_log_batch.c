/* raft/log, one batch: text is packed and random bytes are not, both come back as they were; a packed batch that is
 * torn, or says what can't be, is none. */
#include "tests/unit/unit.h"

#include "raft/log/log_int.h"

#include "base/check.h"
#include "base/crc32c.h"

#include <sys/random.h>

enum { ENTRIES = 12, SALT = 77, FILE_BYTES = 64 * 1024 };

/* A segment whose file is in memory. */
struct memory_file {
	struct disk_file base;
	char bytes[FILE_BYTES];
};

static int read_memory(struct disk_file *f, uint64_t offset, void *data, size_t len, size_t *got, struct err *err)
{
	struct memory_file *m = CONTAINER_OF(f, struct memory_file, base);
	*got = offset >= FILE_BYTES ? 0 : len < FILE_BYTES - offset ? len : FILE_BYTES - offset;
	memcpy(data, m->bytes + offset, *got);
	return 0;
}

static struct memory_file file;
static struct segment segment;
static struct strbuf buffers[2];
static struct log_entry entries[ENTRIES];
static char data[ENTRIES][400];

static int setup(void **state)
{
	static struct disk_vtable ops;
	ops.read = read_memory;
	memset(&file, 0, sizeof file);
	file.base.v = &ops;
	segment = (struct segment){.number = 1, .salt = SALT, .size = FILE_BYTES, .file = &file.base};
	return 0;
}

static int teardown(void **state)
{
	strbuf_release(&buffers[0]);
	strbuf_release(&buffers[1]);
	return 0;
}

static struct strbuf *encode(bool is_text)
{
	for (size_t i = 0; i < ENTRIES; i++) {
		if (is_text)
			memset(data[i], 'a' + (int)i, sizeof data[i]);
		else
			assert_int_equal(getrandom(data[i], sizeof data[i], 0), sizeof data[i]);
		entries[i] = (struct log_entry){3, 1, {data[i], sizeof data[i] - i}};
	}
	struct strbuf *b = log_batch_encode(buffers, 5, entries, ENTRIES);
	log_batch_seal(b, SALT);
	assert_int_equal(b->len % 8, 0);
	memcpy(file.bytes, b->data, b->len);
	return b;
}

static bool load(struct batch_header *h, struct log_entry *out)
{
	struct err err = ERR_INIT;
	static char *payload;
	size_t len;
	bool sound;
	free(payload);
	assert_int_equal(log_load_batch(&segment, 0, h, &payload, &len, &sound, &err), 0);
	return sound && log_parse_entries(payload, len, h->count, out);
}

static void comes_back(bool is_text)
{
	struct batch_header h;
	struct log_entry out[ENTRIES];
	struct strbuf *b = encode(is_text);
	assert_true(
	        is_text ? b->len < log_batch_bytes(entries, ENTRIES) / 4 : b->len == log_batch_bytes(entries, ENTRIES));
	assert_true(load(&h, out));
	assert_int_equal(h.count, ENTRIES);
	assert_int_equal(h.first, 5);
	assert_int_equal(h.length, b->len - sizeof h);
	for (size_t i = 0; i < ENTRIES; i++) {
		assert_int_equal(out[i].term, 3);
		assert_true(slice_eq(out[i].data, entries[i].data));
	}
}

static void text_is_packed(void **state)
{
	comes_back(true);
}

static void random_bytes_are_not(void **state)
{
	comes_back(false);
}

static void a_packed_batch_that_is_torn_is_none(void **state)
{
	struct batch_header h;
	struct log_entry out[ENTRIES];
	size_t len = encode(true)->len;
	for (size_t cut = 0; cut + 8 < len; cut++) { /* the last bytes may be padding */
		memset(file.bytes, 0, sizeof file.bytes);
		memcpy(file.bytes, buffers[1].data, cut);
		assert_false(load(&h, out));
	}
}

/* Changes four bytes of it and puts the checksum right. */
static void lie(struct strbuf *b, size_t at, uint32_t value)
{
	struct batch_header h;
	memcpy(file.bytes, b->data, b->len);
	memcpy(file.bytes + at, &value, sizeof value);
	memcpy(&h, file.bytes, sizeof h);
	h.crc = crc32c(0, file.bytes + 8, b->len - 8);
	memcpy(file.bytes, &h, sizeof h);
}

static void one_that_says_what_cannot_be_is_none(void **state)
{
	struct batch_header h;
	struct log_entry out[ENTRIES];
	struct strbuf *b = encode(true);
	const size_t raw = sizeof h, packed = sizeof h + 4;
	uint32_t right;
	memcpy(&right, b->data + raw, sizeof right);
	lie(b, raw, right);
	assert_true(load(&h, out));
	static const uint32_t lengths[] = {0, 1, 4000, 1u << 30, UINT32_MAX};
	for (size_t i = 0; i < COUNT_OF(lengths); i++) {
		lie(b, raw, lengths[i]);
		assert_false(load(&h, out));
		lie(b, packed, lengths[i]);
		assert_false(load(&h, out));
	}
	lie(b, offsetof(struct batch_header, count), 1u << 31);
	assert_false(load(&h, out));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(text_is_packed, setup, teardown),
	        cmocka_unit_test_setup_teardown(random_bytes_are_not, setup, teardown),
	        cmocka_unit_test_setup_teardown(a_packed_batch_that_is_torn_is_none, setup, teardown),
	        cmocka_unit_test_setup_teardown(one_that_says_what_cannot_be_is_none, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
