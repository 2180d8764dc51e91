/* The reader of bbolt files: pairs in order, buckets inlined and not, overflow; whatever is wrong is said, not
 * followed. */
#include "store/snapshot/bbolt_int.h"

#include "tests/unit/unit.h"

#include "base/hash.h"
#include "base/mem/arena.h"

#include <stdlib.h>
#include <unistd.h>

enum { PAGE = 512, PAGES = 8 };

struct file {
	_Alignas(8) char bytes[PAGE * PAGES];
};

static void put(char *at, uint64_t n, size_t len)
{
	memcpy(at, &n, len);
}

static void head(char *page, uint64_t id, unsigned flags, unsigned count, unsigned overflow)
{
	put(page, id, 8);
	put(page + 8, flags, 2);
	put(page + 10, count, 2);
	put(page + 12, overflow, 4);
}

static void seal(char *page)
{
	put(page + 72, fnv1a64(page + 16, 72 - 16), 8);
}

static void meta(char *page, uint64_t id, uint64_t root, uint64_t txid)
{
	head(page, id, 4, 0, 0);
	put(page + 16, 0xed0cdaedu, 4);
	put(page + 20, 2, 4);
	put(page + 24, PAGE, 4);
	put(page + 32, root, 8);
	put(page + 64, txid, 8);
	seal(page);
}

/* The i-th of n pairs; bytes go to *at. */
static void pair(char *page, unsigned i, unsigned flags, struct slice key, struct slice value, size_t *at)
{
	char *e = page + 16 + 16 * i;
	put(e, flags, 4);
	put(e + 4, *at - (16 + 16 * i), 4);
	put(e + 8, key.len, 4);
	put(e + 12, value.len, 4);
	memcpy(page + *at, key.ptr, key.len);
	memcpy(page + *at + key.len, value.ptr, value.len);
	*at += key.len + value.len;
}

/* meta, meta, -, top: {key: page 4}, branch 4: {5, 6}, leaf 5: a=1 b=2, leaf 6 with an overflow page: c=500 bytes d=4
 */
static void fill(struct file *f)
{
	char *p = f->bytes, bucket[16] = {4}, big[500];
	size_t at = 16 + 16;
	memset(f, 0, sizeof *f);
	memset(big, 'x', sizeof big);
	meta(p, 0, 3, 7);
	meta(p + PAGE, 1, 3, 8);
	head(p + 3 * PAGE, 3, 2, 1, 0);
	pair(p + 3 * PAGE, 0, 1, SLICE("key"), (struct slice){bucket, 16}, &at);
	head(p + 4 * PAGE, 4, 1, 2, 0);
	for (int i = 0; i < 2; i++) {
		put(p + 4 * PAGE + 16 + 16 * i, 32 - 16 * i, 4);
		put(p + 4 * PAGE + 16 + 16 * i + 8, 5 + i, 8);
	}
	head(p + 5 * PAGE, 5, 2, 2, 0);
	at = 16 + 32;
	pair(p + 5 * PAGE, 0, 0, SLICE("a"), SLICE("1"), &at);
	pair(p + 5 * PAGE, 1, 0, SLICE("b"), SLICE("2"), &at);
	head(p + 6 * PAGE, 6, 2, 2, 1);
	at = 16 + 32;
	pair(p + 6 * PAGE, 0, 0, SLICE("c"), (struct slice){big, sizeof big}, &at);
	pair(p + 6 * PAGE, 1, 0, SLICE("d"), SLICE("4"), &at);
}

static int note(void *arg, struct slice key, struct slice value, struct err *err)
{
	strbuf_addf(arg, "%.*s=%zu ", SLICE_FMT(key), value.len);
	return 0;
}

/* What is in the bucket "key", or what was said against it. */
static const char *read_all(struct file *f, size_t len, struct strbuf *b)
{
	struct bbolt db;
	struct bbolt_bucket bucket;
	struct err err = ERR_INIT;
	strbuf_reset(b);
	if (bbolt_open_memory(f->bytes, len, &db, &err) == 0) {
		int rc = bbolt_bucket(&db, SLICE("key"), &bucket, &err);
		if (rc == 0)
			strbuf_adds(b, "none");
		else if (rc == 1)
			bbolt_each(&db, &bucket, note, b, &err);
		bbolt_close(&db);
	}
	if (err.code) {
		assert_int_equal(err.code, ERR_CORRUPT);
		strbuf_adds(b, err.msg);
	}
	return strbuf_cstr(b);
}

static void pairs_come_in_order_from_branches_and_overflow(void **state)
{
	struct file f;
	struct strbuf b = STRBUF_INIT;
	fill(&f);
	assert_string_equal(read_all(&f, sizeof f.bytes, &b), "a=1 b=1 c=500 d=1 ");
	strbuf_release(&b);
}

static void a_bucket_may_lie_in_its_parent(void **state)
{
	struct file f;
	struct strbuf b = STRBUF_INIT;
	char value[16 + 16 + 16 + 8] = {0}, *page = value + 16;
	size_t at = 32, top = 32;
	fill(&f);
	head(page, 0, 2, 1, 0);
	pair(page, 0, 0, SLICE("k"), SLICE("vw"), &at);
	pair(f.bytes + 3 * PAGE, 0, 1, SLICE("key"), (struct slice){value, 16 + at}, &top);
	assert_string_equal(read_all(&f, sizeof f.bytes, &b), "k=2 ");
	strbuf_release(&b);
}

static void one_sound_meta_page_is_enough_and_the_newer_counts(void **state)
{
	struct file f;
	struct strbuf b = STRBUF_INIT;
	fill(&f);
	f.bytes[72] ^= 1;
	assert_string_equal(read_all(&f, sizeof f.bytes, &b), "a=1 b=1 c=500 d=1 ");
	f.bytes[PAGE + 72] ^= 1;
	assert_non_null(strstr(read_all(&f, sizeof f.bytes, &b), "neither of the two meta pages"));
	fill(&f);
	meta(f.bytes, 0, 5, 9); /* newer, and its root is a leaf without buckets */
	assert_string_equal(read_all(&f, sizeof f.bytes, &b), "none");
	strbuf_release(&b);
}

static void what_is_wrong_is_said(void **state)
{
	static const struct {
		size_t at;
		uint64_t value;
		size_t len;
		const char *says;
	} cases[] = {
	        {4 * PAGE + 24, 4, 8, "more pages in the tree than in the file"}, /* a branch that leads to itself */
	        {4 * PAGE + 24, 99, 8, "outside of the file"},
	        {4 * PAGE + 24, 1, 8, "outside of the file"}, /* a meta page */
	        {5 * PAGE, 77, 8, "another page is in its place"},
	        {5 * PAGE + 8, 16, 2, "neither a branch nor a leaf"},
	        {5 * PAGE + 10, 600, 2, "more elements"},
	        {5 * PAGE + 16 + 4, 5000, 4, "not within it"},
	        {5 * PAGE + 16 + 8, 0xffffffff, 4, "not within it"},
	        {5 * PAGE + 16 + 12, 0xffffffff, 4, "not within it"},
	        {5 * PAGE + 48, 'z', 1, "keys out of order"},
	        {6 * PAGE + 12, 7, 4, "larger than what is left"},
	        {3 * PAGE + 16 + 12, 3, 4, "is cut"},
	};
	struct strbuf b = STRBUF_INIT;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct file f;
		fill(&f);
		put(f.bytes + cases[i].at, cases[i].value, cases[i].len);
		const char *said = read_all(&f, sizeof f.bytes, &b);
		if (!strstr(said, cases[i].says))
			fail_msg("case %zu: \"%s\" is not in \"%s\"", i, cases[i].says, said);
	}
	strbuf_release(&b);
}

static void every_shorter_file_is_refused_or_read(void **state)
{
	struct file f;
	struct strbuf b = STRBUF_INIT;
	fill(&f);
	for (size_t len = 0; len < sizeof f.bytes; len += 8) {
		const char *said = read_all(&f, len, &b);
		assert_true(len / PAGE >= PAGES || strstr(said, "page") || strstr(said, "cut"));
	}
	strbuf_release(&b);
}

static void files_are_told_by_their_beginning(void **state)
{
	char path[] = "/tmp/k3x-bbolt-XXXXXX";
	struct file f;
	struct bbolt db;
	struct err err = ERR_INIT;
	int fd = mkstemp(path);
	fill(&f);
	assert_true(write(fd, f.bytes, sizeof f.bytes) == sizeof f.bytes);
	assert_true(bbolt_is(path));
	assert_int_equal(bbolt_open(path, -1, &db, &err), 0);
	assert_int_equal(db.page_bytes, PAGE);
	assert_int_equal(db.txid, 8);
	bbolt_close(&db);
	assert_int_equal(ftruncate(fd, 10), 0);
	assert_false(bbolt_is(path));
	assert_int_not_equal(bbolt_open(path, -1, &db, &err), 0);
	close(fd);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(pairs_come_in_order_from_branches_and_overflow),
	        cmocka_unit_test(a_bucket_may_lie_in_its_parent),
	        cmocka_unit_test(one_sound_meta_page_is_enough_and_the_newer_counts),
	        cmocka_unit_test(what_is_wrong_is_said),
	        cmocka_unit_test(every_shorter_file_is_refused_or_read),
	        cmocka_unit_test(files_are_told_by_their_beginning),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
