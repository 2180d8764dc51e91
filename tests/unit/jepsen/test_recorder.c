/* jepsen/recorder: order, processes that are used up, violations. */
#include "tests/unit/unit.h"

#include "jepsen/run.h"

#include <fcntl.h>
#include <unistd.h>

static struct run *make(unsigned workers)
{
	struct run *r = xcalloc(1, sizeof *r);
	pthread_mutex_init(&r->lock, NULL);
	history_init(&r->history);
	for (unsigned i = 0; i < workers; i++)
		r->workers[i] = (struct worker){.run = r, .index = i, .node = i, .process = (int32_t)i};
	r->worker_count = workers;
	r->next_process = (int32_t)workers;
	return r;
}

static void drop(struct run *r)
{
	for (unsigned i = 0; i < r->violation_count && i < VIOLATIONS_MAX; i++)
		free(r->violations[i]);
	history_release(&r->history);
	free(r);
}

static void operate(struct worker *w, enum client_outcome outcome)
{
	struct history_record r = HISTORY_RECORD_INIT;
	struct client_answer a = {.outcome = outcome};
	err_set(&a.err, ERR_TIMEOUT, "no answer");
	r.f = HISTORY_GENERATE;
	run_invoke(w, &r);
	run_complete(w, &r, &a);
}

static void an_unknown_outcome_uses_the_process_up(void **state)
{
	struct run *r = make(2);
	struct err err = ERR_INIT;
	struct history_ops ops;
	struct arena a = ARENA_INIT;
	operate(&r->workers[0], CLIENT_OK);
	operate(&r->workers[0], CLIENT_FAIL);
	assert_int_equal(r->workers[0].process, 0);
	operate(&r->workers[0], CLIENT_INFO);
	assert_int_equal(r->workers[0].process, 2);
	operate(&r->workers[1], CLIENT_INFO);
	assert_int_equal(r->workers[1].process, 3);
	operate(&r->workers[0], CLIENT_OK);
	assert_int_equal(r->operations, 5);
	assert_int_equal(history_pair(&r->history, &a, &ops, &err), 0);
	assert_int_equal(ops.count, 5);
	assert_null(r->history.records[1].error);
	assert_string_equal(r->history.records[3].error, "no answer");
	arena_release(&a);
	drop(r);
}

static void many_violations_are_counted_and_some_kept(void **state)
{
	struct run *r = make(1);
	int loud = dup(2), quiet = open("/dev/null", O_WRONLY);
	dup2(quiet, 2);
	for (unsigned i = 0; i < VIOLATIONS_MAX + 5; i++)
		run_violation(r, "number %u", i);
	dup2(loud, 2);
	close(loud);
	close(quiet);
	assert_int_equal(r->violation_count, VIOLATIONS_MAX + 5);
	assert_string_equal(r->violations[VIOLATIONS_MAX - 1], "number 31");
	drop(r);
}

static void values_are_unique(void **state)
{
	struct run *r = make(1);
	int64_t first = run_unique(r);
	assert_int_equal(run_unique(r), first + 1);
	drop(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(an_unknown_outcome_uses_the_process_up),
	        cmocka_unit_test(many_violations_are_counted_and_some_kept), cmocka_unit_test(values_are_unique)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
