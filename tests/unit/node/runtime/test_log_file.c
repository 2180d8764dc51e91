/* Lines of container logs, and finding the last ones. */
#include "tests/unit/unit.h"

#include "node/runtime/log_file.h"
#include "node/ground/times.h"

#include <fcntl.h>
#include <unistd.h>

static void a_line_is_taken_apart(void **state)
{
	struct log_line l;
	assert_true(log_line_parse(SLICE("2026-01-02T03:04:05.000000006Z stderr F hello  world"), &l));
	assert_true(l.is_stderr);
	assert_false(l.is_partial);
	assert_true(slice_is(l.text, "hello  world"));
	assert_int_equal(l.time_ns % 1000000000, 6);
	assert_true(log_line_parse(SLICE("2026-01-02T03:04:05Z stdout P part"), &l));
	assert_true(l.is_partial);
	assert_true(log_line_parse(SLICE("2026-01-02T03:04:05Z stdout F"), &l));
	assert_int_equal(l.text.len, 0);
}

static void what_is_no_line_is_refused(void **state)
{
	struct log_line l;
	assert_false(log_line_parse(SLICE(""), &l));
	assert_false(log_line_parse(SLICE("hello"), &l));
	assert_false(log_line_parse(SLICE("2026-01-02T03:04:05Z stdwhat F x"), &l));
	assert_false(log_line_parse(SLICE("2026-01-02T03:04:05Z stdout X x"), &l));
	assert_false(log_line_parse(SLICE("yesterday-and-so-on-- stdout F x"), &l));
}

static int file_with(const char *text)
{
	char path[] = "/tmp/k3x-log-XXXXXX";
	int fd = mkstemp(path);
	unlink(path);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	return fd;
}

#define T "2026-01-02T03:04:05Z stdout "

static void the_tail_counts_whole_lines(void **state)
{
	static const char text[] = T "F one\n" T "F two\n" T "P thr"
	                             "\n" T "F ee\n";
	const int64_t line = (int64_t)strlen(T "F one\n");
	int fd = file_with(text);
	assert_int_equal(log_file_tail_offset(fd, 1), 2 * line);
	assert_int_equal(log_file_tail_offset(fd, 2), line);
	assert_int_equal(log_file_tail_offset(fd, 3), 0);
	assert_int_equal(log_file_tail_offset(fd, 99), 0);
	close(fd);
}

/* Counts lines the slow way. */
static int64_t tail_slowly(const char *text, size_t len, uint64_t lines)
{
	struct slice rest = {text, len};
	int64_t starts[20000];
	size_t n = 0;
	bool before_is_partial = false;
	while (rest.len) {
		struct log_line l;
		int64_t at = rest.ptr - text;
		bool partial = log_line_parse(slice_cut(&rest, '\n'), &l) && l.is_partial;
		if (!before_is_partial)
			starts[n++] = at;
		before_is_partial = partial;
	}
	return n > lines ? starts[n - lines] : 0;
}

/* Lines of every length, so that chunks end in all parts of one, against the slow count. */
static void the_tail_of_a_large_file_is_found(void **state)
{
	struct strbuf b = STRBUF_INIT;
	static const uint64_t counts[] = {1, 2, 7, 100, 1999, 5000, 9999, 100000};
	for (unsigned i = 0; i < 10000; i++) {
		strbuf_adds(&b, T);
		strbuf_adds(&b, i % 7 == 3 ? "P " : "F ");
		for (unsigned k = 0; k < i % 61; k++)
			strbuf_addc(&b, 'x');
		strbuf_adds(&b, i % 997 ? "\n" : "\nno line of the form\n");
	}
	int fd = file_with(strbuf_cstr(&b));
	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
		assert_int_equal(log_file_tail_offset(fd, counts[i]), tail_slowly(b.data, b.len, counts[i]));
	assert_int_equal(log_file_tail_offset(fd, 0), b.len);
	close(fd);
	strbuf_release(&b);
}

static void a_torn_last_line_counts(void **state)
{
	int fd = file_with(T "F one\n" T "F tw");
	assert_int_equal(log_file_tail_offset(fd, 1), strlen(T "F one\n"));
	close(fd);
	fd = file_with("");
	assert_int_equal(log_file_tail_offset(fd, 3), 0);
	close(fd);
}

static void times_go_there_and_back(void **state)
{
	char t[TIME_TEXT_MAX];
	int64_t ns = time_parse(SLICE("2026-01-02T03:04:05.123456789Z"));
	assert_string_equal(time_text(ns, t), "2026-01-02T03:04:05Z");
	assert_string_equal(time_text_micro(ns, t), "2026-01-02T03:04:05.123456Z");
	assert_string_equal(time_text_nano(ns, t), "2026-01-02T03:04:05.123456789Z");
	assert_int_equal(time_parse(SLICE("2026-01-02T05:04:05+02:00")), ns / 1000000000 * 1000000000);
	assert_int_equal(time_parse(SLICE("soon")), 0);
	assert_int_equal(time_parse(SLICE("1013-01-02T03:04:05Z")), 0);
	assert_int_equal(time_parse(SLICE("9999-01-02T03:04:05Z")), 0);
	assert_int_equal(time_parse(SLICE("1970-01-01T00:00:01+23:00")), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_line_is_taken_apart),
	        cmocka_unit_test(what_is_no_line_is_refused),
	        cmocka_unit_test(the_tail_counts_whole_lines),
	        cmocka_unit_test(the_tail_of_a_large_file_is_found),
	        cmocka_unit_test(a_torn_last_line_counts),
	        cmocka_unit_test(times_go_there_and_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
