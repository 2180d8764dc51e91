/* The log that is put away: sizes, names, what is removed and packed, lines that were torn. */
#include "api/server/audit/log_file.h"
#include "base/mem/arena.h"

#include "tests/unit/unit.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];
static struct log_file_options options;
static char path[128];

static int setup(void **state)
{
	snprintf(dir, sizeof dir, "/tmp/k3x-log-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/audit.log", dir);
	options = (struct log_file_options){.path = path, .bytes_max = 20};
	return 0;
}

static int each(void (*fn)(const char *file))
{
	DIR *d = opendir(dir);
	int n = 0;
	for (struct dirent *e; (e = readdir(d));) {
		char file[400];
		if (e->d_name[0] == '.')
			continue;
		snprintf(file, sizeof file, "%s/%s", dir, e->d_name);
		n++;
		if (fn)
			fn(file);
	}
	closedir(d);
	return n;
}

static void drop(const char *file)
{
	unlink(file);
}

static int teardown(void **state)
{
	each(drop);
	rmdir(dir);
	return 0;
}

static void put(struct log_file *f, const char *lines, bool is_put_away)
{
	struct err err = ERR_INIT;
	bool was = !is_put_away;
	assert_int_equal(log_file_write(f, slice_of(lines), &was, &err), 0);
	assert_int_equal(was, is_put_away);
}

static void content_is(const char *file, const char *want)
{
	char text[200] = {0};
	FILE *f = fopen(file, "r");
	assert_non_null(f);
	text[fread(text, 1, sizeof text - 1, f)] = 0;
	fclose(f);
	assert_string_equal(text, want);
}

static void make(const char *name)
{
	char file[300];
	snprintf(file, sizeof file, "%s/%s", dir, name);
	FILE *f = fopen(file, "w");
	fputs("old\n", f);
	fclose(f);
}

static bool is_there(const char *name)
{
	char file[300];
	snprintf(file, sizeof file, "%s/%s", dir, name);
	return access(file, F_OK) == 0;
}

static void lines_that_fit_go_together(void **state)
{
	struct log_file f;
	struct err err = ERR_INIT;
	struct stat st;
	assert_int_equal(log_file_open(&f, &options, &err), 0);
	put(&f, "one\ntwo\n", false);
	put(&f, "three\n", false);
	content_is(path, "one\ntwo\nthree\n");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	log_file_close(&f);
}

static void a_full_file_is_put_away_between_lines(void **state)
{
	struct log_file f;
	struct err err = ERR_INIT;
	assert_int_equal(log_file_open(&f, &options, &err), 0);
	put(&f, "0123456789\n0123456789\nabc\n", true);
	content_is(path, "0123456789\nabc\n");
	assert_int_equal(each(NULL), 2);
	log_file_close(&f);
}

static void a_line_larger_than_a_file_has_one_to_itself(void **state)
{
	struct log_file f;
	struct err err = ERR_INIT;
	assert_int_equal(log_file_open(&f, &options, &err), 0);
	put(&f, "a\n0123456789012345678901234567890\nb\n", true);
	content_is(path, "b\n");
	assert_int_equal(each(NULL), 3);
	log_file_close(&f);
}

static void what_is_there_is_counted_and_a_torn_line_ended(void **state)
{
	struct log_file f;
	struct err err = ERR_INIT;
	FILE *old = fopen(path, "w");
	fputs("whole\ntorn", old);
	fclose(old);
	assert_int_equal(log_file_open(&f, &options, &err), 0);
	put(&f, "new\n", false);
	content_is(path, "whole\ntorn\nnew\n");
	put(&f, "next one\n", true);
	content_is(path, "next one\n");
	log_file_close(&f);
}

static void what_cannot_be_opened_is_told_and_tried_again(void **state)
{
	struct log_file f;
	struct err err = ERR_INIT;
	bool was;
	assert_int_equal(log_file_open(&f, &options, &err), 0);
	log_file_close(&f);
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_true(log_file_write(&f, SLICE("x\n"), &was, &err) < 0);
	assert_non_null(strstr(err.msg, path));
	rmdir(path);
	put(&f, "y\n", false);
	content_is(path, "y\n");
	log_file_close(&f);
}

static void a_pipe_is_no_log(void **state)
{
	struct log_file f;
	struct err err = ERR_INIT;
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(log_file_open(&f, &options, &err), ERR_INVAL);
	assert_non_null(strstr(err.msg, "is no regular file"));
	unlink(path);
}

static void old_ones_go_by_number(void **state)
{
	struct err err = ERR_INIT;
	make("audit-2026-01-01T00-00-00.000.log");
	make("audit-2026-01-02T00-00-00.000.log.gz");
	make("audit-2026-01-03T00-00-00.000.log");
	make("audit-notes.log");
	make("other-2026-01-01T00-00-00.000.log");
	options.backups_max = 2;
	assert_int_equal(log_file_tidy(&options, 1767600000, &err), 0);
	assert_false(is_there("audit-2026-01-01T00-00-00.000.log"));
	assert_true(is_there("audit-2026-01-02T00-00-00.000.log.gz"));
	assert_true(is_there("audit-2026-01-03T00-00-00.000.log"));
	assert_true(is_there("audit-notes.log") && is_there("other-2026-01-01T00-00-00.000.log"));
}

static void old_ones_go_by_age(void **state)
{
	struct err err = ERR_INIT;
	make("audit-2026-01-01T00-00-00.000.log");
	make("audit-2026-01-03T00-00-00.000.log");
	options.age_days_max = 3;
	assert_int_equal(log_file_tidy(&options, 1767614400 /* January 5th, 12:00 */, &err), 0);
	assert_int_equal(each(NULL), 1);
	assert_true(is_there("audit-2026-01-03T00-00-00.000.log"));
}

static void what_stays_is_packed(void **state)
{
	struct err err = ERR_INIT;
	char command[400], line[16] = {0};
	make("audit-2026-01-01T00-00-00.000.log");
	options.compresses = true;
	assert_int_equal(log_file_tidy(&options, 1767614400, &err), 0);
	assert_int_equal(each(NULL), 1);
	snprintf(command, sizeof command, "zcat %s/audit-2026-01-01T00-00-00.000.log.gz", dir);
	FILE *p = popen(command, "r");
	assert_non_null(fgets(line, sizeof line, p));
	assert_string_equal(line, "old\n");
	assert_int_equal(pclose(p), 0);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {T(lines_that_fit_go_together), T(a_full_file_is_put_away_between_lines),
	        T(a_line_larger_than_a_file_has_one_to_itself), T(what_is_there_is_counted_and_a_torn_line_ended),
	        T(what_cannot_be_opened_is_told_and_tried_again), T(old_ones_go_by_number), T(old_ones_go_by_age),
	        T(a_pipe_is_no_log), T(what_stays_is_packed)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
