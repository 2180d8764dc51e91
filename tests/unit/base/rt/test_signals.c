/* Signals are told on the loop, each time one comes; that of a broken pipe is taken and not told. */
#include "tests/unit/unit.h"

#include "base/rt/signals.h"

#include <signal.h>
#include <unistd.h>

struct fixture {
	struct loop loop;
	struct loop_task task;
	struct signals signals;
	unsigned told[65];
};

static void told(void *arg, int number)
{
	struct fixture *f = arg;
	f->told[number]++;
	if (number == SIGTERM && f->told[number] == 1)
		kill(getpid(), SIGPIPE), kill(getpid(), SIGUSR1);
	else if (number == SIGUSR1)
		kill(getpid(), SIGTERM);
	if (f->told[SIGTERM] == 2) {
		signals_close(&f->signals);
		loop_stop(&f->loop);
	}
}

static void begin(struct loop_task *t)
{
	kill(getpid(), SIGTERM);
}

static void each_that_comes_is_told_but_that_of_a_broken_pipe(void **state)
{
	struct fixture f = {.task.run = begin};
	loop_init(&f.loop, "test");
	signals_watch(&f.signals, &f.loop, told, &f);
	signals_add(&f.signals, &f.loop, SIGUSR1);
	loop_post(&f.loop, &f.task);
	loop_run(&f.loop);
	assert_int_equal(f.told[SIGTERM], 2);
	assert_int_equal(f.told[SIGUSR1], 1);
	assert_int_equal(f.told[SIGPIPE], 0);
	loop_release(&f.loop);
}

static void what_comes_after_the_end_does_what_it_does_by_default(void **state)
{
	struct sigaction now;
	struct fixture f = {0};
	loop_init(&f.loop, "test");
	loop_own(&f.loop);
	signals_watch(&f.signals, &f.loop, told, &f);
	assert_int_equal(sigaction(SIGTERM, NULL, &now), 0);
	assert_true(now.sa_handler != SIG_DFL);
	signals_close(&f.signals);
	loop_stop(&f.loop);
	loop_run(&f.loop);
	assert_int_equal(sigaction(SIGTERM, NULL, &now), 0);
	assert_true(now.sa_handler == SIG_DFL);
	loop_release(&f.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(each_that_comes_is_told_but_that_of_a_broken_pipe),
	        cmocka_unit_test(what_comes_after_the_end_does_what_it_does_by_default),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
