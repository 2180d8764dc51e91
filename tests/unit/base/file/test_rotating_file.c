/* base/rotating_file: it stays within its bounds whatever is written, by how many threads, and whoever moves its files.
 */
#include "tests/unit/unit.h"

#include "base/check.h"
#include "base/file/rotating_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64], path[96];

static int setup(void **state)
{
	snprintf(folder, sizeof folder, "/tmp/k3x-rotate-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof path, "%s/log", folder);
	return 0;
}

static int teardown(void **state)
{
	char command[128];
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command);
}

/* Bytes of PATH, or of PATH.n; -1: it is not there. */
static long size_of(unsigned n)
{
	char name[128];
	struct stat st;
	snprintf(name, sizeof name, n ? "%s.%u" : "%s", path, n);
	return stat(name, &st) == 0 ? (long)st.st_size : -1;
}

static struct rotating_file f;
static struct err err;

static void write_lines(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		rotating_file_write(&f, "123456789\n", 10);
}

static void old_files_are_kept_up_to_a_number(void **state)
{
	assert_int_equal(rotating_file_open(&f, path, 1000, 2, &err), 0);
	write_lines(100);
	assert_int_equal(size_of(0), 1000);
	assert_int_equal(size_of(1), -1);
	write_lines(1);
	assert_int_equal(size_of(0), 0);
	assert_int_equal(size_of(1), 1010);
	write_lines(1000);
	assert_true(size_of(0) <= 1010);
	assert_int_equal(size_of(1), 1010);
	assert_int_equal(size_of(2), 1010);
	assert_int_equal(size_of(3), -1);
	rotating_file_close(&f);
}

static void without_old_files_it_begins_anew(void **state)
{
	assert_int_equal(rotating_file_open(&f, path, 1000, 0, &err), 0);
	write_lines(105);
	assert_int_equal(size_of(0), 40);
	assert_int_equal(size_of(1), -1);
	rotating_file_close(&f);
}

static void what_was_there_counts(void **state)
{
	assert_int_equal(rotating_file_open(&f, path, 1000, 1, &err), 0);
	write_lines(90);
	rotating_file_close(&f);
	assert_int_equal(rotating_file_open(&f, path, 1000, 1, &err), 0);
	write_lines(11);
	assert_int_equal(size_of(1), 1010);
	rotating_file_close(&f);
}

/* logrotate's two ways: the file is moved, or copied and cut. */
static void a_file_that_others_moved_or_cut_is_no_confusion(void **state)
{
	char moved[128];
	assert_int_equal(rotating_file_open(&f, path, 1000, 1, &err), 0);
	write_lines(90);
	assert_int_equal(truncate(path, 0), 0);
	write_lines(11);
	assert_int_equal(size_of(0), 110);
	assert_int_equal(size_of(1), -1);
	snprintf(moved, sizeof moved, "%s.moved", path);
	assert_int_equal(rename(path, moved), 0);
	write_lines(101);
	assert_true(size_of(0) >= 0);
	assert_int_equal(size_of(1), -1);
	write_lines(1);
	assert_true(size_of(0) >= 10);
	rotating_file_close(&f);
}

static void when_nothing_can_be_renamed_it_begins_anew_in_place(void **state)
{
	char old[128];
	snprintf(old, sizeof old, "%s.1/in-the-way", path);
	assert_int_equal(rotating_file_open(&f, path, 1000, 1, &err), 0);
	*strrchr(old, '/') = 0; /* a folder where PATH.1 would be */
	assert_int_equal(mkdir(old, 0755), 0);
	write_lines(105);
	assert_int_equal(size_of(0), 40);
	rotating_file_close(&f);
}

static void a_file_that_cannot_be_opened_is_named(void **state)
{
	err = ERR_INIT;
	assert_true(rotating_file_open(&f, "/nowhere/at/all", 1000, 1, &err) != 0);
	assert_non_null(strstr(err.msg, "/nowhere/at/all"));
}

static void *writer(void *arg)
{
	write_lines(2000);
	return NULL;
}

static void many_threads_stay_within_the_bounds_and_no_line_is_cut(void **state)
{
	enum { THREADS = 4 };
	pthread_t threads[THREADS];
	assert_int_equal(rotating_file_open(&f, path, 5000, 100, &err), 0);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, writer, NULL), 0);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	long all = 0;
	for (unsigned i = 0; size_of(i) >= 0; i++) {
		assert_true(size_of(i) <= 5000 + 10 * THREADS * 4);
		assert_int_equal(size_of(i) % 10, 0);
		all += size_of(i);
	}
	assert_int_equal(all, 10 * 2000 * THREADS);
	rotating_file_close(&f);
}

static void a_file_of_somebody_else_is_copied_and_cut(void **state)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	for (int i = 0; i < 100; i++)
		assert_int_equal(write(fd, "123456789\n", 10), 10);
	rotating_file_cut(path, 1000);
	assert_int_equal(size_of(0), 1000);
	assert_int_equal(write(fd, "123456789\n", 10), 10);
	rotating_file_cut(path, 1000);
	assert_int_equal(size_of(0), 0);
	assert_int_equal(size_of(1), 1010);
	assert_int_equal(write(fd, "123456789\n", 10), 10);
	assert_int_equal(size_of(0), 10);
	close(fd);
	rotating_file_cut("/nowhere/at/all", 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(old_files_are_kept_up_to_a_number, setup, teardown),
	        cmocka_unit_test_setup_teardown(without_old_files_it_begins_anew, setup, teardown),
	        cmocka_unit_test_setup_teardown(what_was_there_counts, setup, teardown),
	        cmocka_unit_test_setup_teardown(a_file_that_others_moved_or_cut_is_no_confusion, setup, teardown),
	        cmocka_unit_test_setup_teardown(when_nothing_can_be_renamed_it_begins_anew_in_place, setup, teardown),
	        cmocka_unit_test_setup_teardown(a_file_that_cannot_be_opened_is_named, setup, teardown),
	        cmocka_unit_test_setup_teardown(a_file_of_somebody_else_is_copied_and_cut, setup, teardown),
	        cmocka_unit_test_setup_teardown(
	                many_threads_stay_within_the_bounds_and_no_line_is_cut, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
