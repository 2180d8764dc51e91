/* Output becomes lines of the CRI's format. */
#include "tests/unit/unit.h"

#include "base/limits.h"
#include "base/mem/arena.h"
#include "node/ground/files.h"
#include "node/wasm/zygote/log_writer.h"

#define T "1970-01-01T00:00:01.000000002Z"
enum { NOW = 1000000002 };

static char path[64];

static struct log_writer begin(void)
{
	struct log_writer w;
	struct err err = ERR_INIT;
	snprintf(path, sizeof path, "/tmp/k3x-log-writer-%d", getpid());
	unlink(path);
	assert_int_equal(log_writer_open(&w, path, &err), 0);
	return w;
}

static void holds(const char *text)
{
	char *got = file_read(path, 1 << 20, false, NULL);
	assert_string_equal(got, text);
	free(got);
	unlink(path);
}

static void a_line_that_comes_in_pieces_is_one_line(void **state)
{
	struct log_writer w = begin();
	log_writer_add(&w, 0, SLICE("he"), NOW);
	log_writer_add(&w, 1, SLICE("oops\n"), NOW);
	log_writer_add(&w, 0, SLICE("llo\n\nx"), NOW);
	log_writer_close(&w, NOW);
	holds(T " stderr F oops\n" T " stdout F hello\n" T " stdout F \n" T " stdout F x\n");
}

static void a_line_that_is_too_long_is_cut_into_parts(void **state)
{
	struct log_writer w = begin();
	char *text = xmalloc(WASM_LOG_LINE_BYTES_MAX + 10);
	memset(text, 'a', WASM_LOG_LINE_BYTES_MAX + 3);
	text[WASM_LOG_LINE_BYTES_MAX + 3] = '\n';
	log_writer_add(&w, 0, (struct slice){text, WASM_LOG_LINE_BYTES_MAX + 4}, NOW);
	text[WASM_LOG_LINE_BYTES_MAX] = '\n';
	log_writer_add(&w, 0, (struct slice){text, WASM_LOG_LINE_BYTES_MAX + 1}, NOW);
	log_writer_close(&w, NOW);
	text[WASM_LOG_LINE_BYTES_MAX] = 0;
	char *all = xprintf(T " stdout P %s\n" T " stdout F aaa\n" T " stdout F %s\n", text, text);
	holds(all);
	free(all);
	free(text);
}

static void a_file_that_was_moved_away_is_begun_anew(void **state)
{
	struct log_writer w = begin();
	struct err err = ERR_INIT;
	log_writer_add(&w, 0, SLICE("one\n"), NOW);
	unlink(path);
	assert_int_equal(log_writer_reopen(&w, &err), 0);
	log_writer_add(&w, 0, SLICE("two\n"), NOW);
	log_writer_close(&w, NOW);
	holds(T " stdout F two\n");
}

static void without_a_file_what_comes_is_dropped(void **state)
{
	struct log_writer w;
	struct err err = ERR_INIT;
	assert_int_equal(log_writer_open(&w, "/nonexistent/log", &err), ERR_NOT_FOUND);
	log_writer_add(&w, 0, SLICE("one\ntwo"), NOW);
	log_writer_close(&w, NOW);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_line_that_comes_in_pieces_is_one_line),
	        cmocka_unit_test(a_line_that_is_too_long_is_cut_into_parts),
	        cmocka_unit_test(a_file_that_was_moved_away_is_begun_anew),
	        cmocka_unit_test(without_a_file_what_comes_is_dropped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
