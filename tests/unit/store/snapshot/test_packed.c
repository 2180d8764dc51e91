/* Packed files: what comes out is what went in, and what was cut or changed is found. */
#include "store/snapshot/packed.h"

#include "base/mem/arena.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BYTES = 900 * 1000 };
static char folder[64], path[96], *data;
static struct err err;

static int set_up(void **state)
{
	snprintf(folder, sizeof folder, "/tmp/k3x-packed-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/file", folder);
	data = malloc(BYTES + 1);
	unit_noise(data, BYTES);
	memset(data + 100000, 'x', 500000);
	err = ERR_INIT;
	return 0;
}

static int tear_down(void **state)
{
	free(data);
	unlink(path);
	return rmdir(folder);
}

static void put(bool is_packed)
{
	struct packed_out o;
	err = ERR_INIT;
	assert_int_equal(packed_out_open(&o, path, is_packed, &err), 0);
	for (size_t at = 0, n; at < BYTES; at += n) {
		n = at % 7 ? 300000 : 12345;
		n = n < BYTES - at ? n : BYTES - at;
		assert_int_equal(packed_out_write(&o, data + at, n, &err), 0);
	}
	assert_int_equal(packed_out_keep(&o, &err), 0);
}

/* How much came, which must be the beginning of what went in. */
static size_t get(void)
{
	char piece[4099];
	size_t at = 0, n = 1;
	int fd = open(path, O_RDONLY);
	struct packed_in *p = packed_in_new(fd, path);
	err = ERR_INIT;
	while (n && packed_in_read(p, piece, sizeof piece, &n, &err) == 0) {
		assert_true(at + n <= BYTES);
		assert_memory_equal(piece, data + at, n);
		at += n;
	}
	packed_in_free(p);
	close(fd);
	return at;
}

static off_t size(void)
{
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

static void what_comes_out_is_what_went_in(void **state)
{
	char head[20];
	put(true);
	assert_true(packed_is(path));
	assert_true(size() < 450000);
	assert_int_equal(get(), BYTES);
	assert_int_equal(packed_peek(path, head, sizeof head), sizeof head);
	assert_memory_equal(head, data, sizeof head);
	put(false);
	assert_false(packed_is(path));
	assert_int_equal(size(), BYTES);
	assert_int_equal(get(), BYTES);
}

static void what_is_cut_is_found_wherever_that_is(void **state)
{
	put(true);
	off_t whole = size();
	for (int i = 1; i <= 8; i++) {
		put(true);
		assert_int_equal(truncate(path, i == 8 ? whole - 1 : whole * i / 8), 0);
		get();
		assert_int_equal(err.code, ERR_CORRUPT);
	}
}

static void what_is_changed_is_found(void **state)
{
	for (int i = 1; i < 8; i++) {
		put(true);
		int fd = open(path, O_RDWR);
		char c;
		off_t at = size() * i / 8;
		assert_true(pread(fd, &c, 1, at) == 1);
		c ^= 0x10;
		assert_true(pwrite(fd, &c, 1, at) == 1);
		close(fd);
		int fd2 = open(path, O_RDONLY);
		struct packed_in *p = packed_in_new(fd2, path);
		char piece[65536];
		size_t n = 1;
		err = ERR_INIT;
		while (n && packed_in_read(p, piece, sizeof piece, &n, &err) == 0)
			;
		assert_int_equal(err.code, ERR_CORRUPT);
		packed_in_free(p);
		close(fd2);
	}
}

static void what_is_dropped_is_gone(void **state)
{
	struct packed_out o;
	assert_int_equal(packed_out_open(&o, path, true, &err), 0);
	assert_int_equal(packed_out_write(&o, data, 1000, &err), 0);
	packed_out_drop(&o);
	assert_int_equal(access(path, F_OK), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(what_comes_out_is_what_went_in, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(what_is_cut_is_found_wherever_that_is, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(what_is_changed_is_found, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(what_is_dropped_is_gone, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
