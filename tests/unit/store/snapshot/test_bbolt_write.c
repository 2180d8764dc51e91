/* Files that are written are read back whole: small, with branches of several levels, with values larger than pages. */
#include "store/snapshot/bbolt_int.h"

#include "tests/unit/unit.h"

#include <unistd.h>

static char path[64];

static int setup(void **state)
{
	snprintf(path, sizeof path, "/tmp/k3x-bbolt-write-%ld", (long)getpid());
	unlink(path);
	return 0;
}

static int teardown(void **state)
{
	unlink(path);
	return 0;
}

/* Pair number i: keys rise, one value in a hundred is larger than a page. */
static struct slice key_of(int i, char out[32])
{
	return (struct slice){out, (size_t)snprintf(out, 32, "key-%08d", i)};
}

static size_t value_len(int i)
{
	return i % 100 == 99 ? 9000 : (size_t)(i % 150);
}

static char value_byte(int i, size_t at)
{
	return (char)(i * 31 + (int)at);
}

struct reading {
	int next;
};

static int check_pair(void *arg, struct slice key, struct slice value, struct err *err)
{
	struct reading *r = arg;
	char text[32];
	assert_true(slice_eq(key, key_of(r->next, text)));
	assert_int_equal(value.len, value_len(r->next));
	for (size_t i = 0; i < value.len; i++)
		assert_true(value.ptr[i] == value_byte(r->next, i));
	r->next++;
	return 0;
}

static void write_pairs(struct bbolt_writer *w, int n)
{
	static char value[9000];
	struct err err = ERR_INIT;
	for (int i = 0; i < n; i++) {
		char text[32];
		for (size_t k = 0; k < value_len(i); k++)
			value[k] = value_byte(i, k);
		assert_int_equal(bbolt_writer_put(w, key_of(i, text), (struct slice){value, value_len(i)}, &err), 0);
	}
}

static void round_trip(int n)
{
	struct err err = ERR_INIT;
	struct bbolt_writer *w;
	struct bbolt b;
	struct bbolt_bucket bucket;
	struct reading r = {0};
	assert_int_equal(bbolt_writer_open(path, &w, &err), 0);
	assert_int_equal(bbolt_writer_bucket(w, "pairs", &err), 0);
	write_pairs(w, n);
	assert_int_equal(bbolt_writer_bucket(w, "empty", &err), 0); /* names need not rise */
	assert_int_equal(bbolt_writer_finish(w, &err), 0);
	bbolt_writer_free(w);
	assert_int_equal(bbolt_open(path, -1, &b, &err), 0);
	assert_int_equal(bbolt_bucket(&b, SLICE("pairs"), &bucket, &err), 1);
	assert_int_equal(bbolt_each(&b, &bucket, check_pair, &r, &err), 0);
	assert_int_equal(r.next, n);
	assert_int_equal(bbolt_bucket(&b, SLICE("empty"), &bucket, &err), 1);
	assert_int_equal(bbolt_each(&b, &bucket, check_pair, &r, &err), 0);
	assert_int_equal(r.next, n);
	assert_int_equal(bbolt_bucket(&b, SLICE("other"), &bucket, &err), 0);
	bbolt_close(&b);
	unlink(path);
}

static void what_is_written_is_read(void **state)
{
	static const int sizes[] = {0, 1, 2, 25, 99, 100, 101, 3000, 60000};
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		round_trip(sizes[i]);
}

static void an_unfinished_file_goes_and_one_that_is_there_stays(void **state)
{
	struct err err = ERR_INIT;
	struct bbolt_writer *w, *second;
	assert_int_equal(bbolt_writer_open(path, &w, &err), 0);
	assert_int_equal(bbolt_writer_open(path, &second, &err), ERR_EXISTS);
	bbolt_writer_free(w);
	assert_int_not_equal(access(path, F_OK), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(what_is_written_is_read, setup, teardown),
	        cmocka_unit_test_setup_teardown(an_unfinished_file_goes_and_one_that_is_there_stays, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
