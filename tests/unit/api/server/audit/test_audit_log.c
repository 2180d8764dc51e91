/* The log backend: lines reach the file before the close is through, and what cannot be kept is counted. */
#include "api/server/audit/audit_log.h"
#include "base/limits.h"
#include "base/mem/arena.h"

#include "tests/unit/unit.h"

#include <unistd.h>

struct house {
	struct loop loop;
	struct pool *pool;
	struct audit_log *log;
	char path[64];
	uint64_t lost;
	const char *line;
	unsigned times;
	struct err err;
};

static void open_log(void *arg)
{
	struct house *h = arg;
	struct log_file_options o = {.path = h->path, .bytes_max = 1 << 30};
	audit_log_new(&h->loop, h->pool, &o, &h->log, &h->err);
}

static void add(void *arg)
{
	struct house *h = arg;
	for (unsigned i = 0; i < h->times; i++)
		audit_log_add(h->log, slice_of(h->line));
	h->lost = audit_log_lost(h->log);
}

static void closed(void *arg)
{
	struct house *h = arg;
	loop_stop(&h->loop);
}

static void close_log(void *arg)
{
	struct house *h = arg;
	audit_log_close(h->log, closed, h);
}

static int set_up(void **state)
{
	struct house *h = xcalloc(1, sizeof *h);
	snprintf(h->path, sizeof h->path, "/tmp/k3x-audit-XXXXXX");
	close(mkstemp(h->path));
	h->pool = pool_new("audit", 2, 8);
	loop_init(&h->loop, "api");
	loop_start_thread(&h->loop);
	loop_call(&h->loop, open_log, h);
	assert_int_equal(h->err.code, 0);
	*state = h;
	return 0;
}

static void end(struct house *h)
{
	loop_call(&h->loop, close_log, h);
	loop_join(&h->loop);
	pool_free(h->pool);
	loop_release(&h->loop);
}

static int tear_down(void **state)
{
	struct house *h = *state;
	unlink(h->path);
	free(h);
	return 0;
}

static unsigned lines_in(const char *path)
{
	FILE *f = fopen(path, "r");
	unsigned n = 0;
	for (int c; (c = fgetc(f)) != EOF;)
		n += c == '\n';
	fclose(f);
	return n;
}

static void all_lines_are_there_after_the_close(void **state)
{
	struct house *h = *state;
	h->line = "an event\n";
	h->times = 1000;
	for (int i = 0; i < 10; i++)
		loop_call(&h->loop, add, h);
	end(h);
	assert_int_equal(lines_in(h->path), 10000);
}

static void what_does_not_fit_is_lost_and_counted(void **state)
{
	struct house *h = *state;
	char *large = malloc(AUDIT_PENDING_BYTES_MAX / 4 + 1);
	memset(large, 'x', AUDIT_PENDING_BYTES_MAX / 4);
	large[AUDIT_PENDING_BYTES_MAX / 4 - 1] = '\n';
	large[AUDIT_PENDING_BYTES_MAX / 4] = 0;
	h->line = large;
	h->times = 7; /* in one turn of the loop: nothing is written meanwhile */
	loop_call(&h->loop, add, h);
	assert_int_equal(h->lost, 3);
	end(h);
	assert_int_equal(lines_in(h->path), 4);
	free(large);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(all_lines_are_there_after_the_close, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(what_does_not_fit_is_lost_and_counted, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
