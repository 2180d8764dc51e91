/* A loop whose only deferred piece of work was cancelled ends, and sleeps, as if nothing had been deferred. */
#include "tests/unit/unit.h"

#include "base/rt/loop.h"

struct fixture {
	struct loop loop;
	struct loop_task task;
	struct loop_defer never;
};

static void must_not_run(struct loop_defer *d)
{
	fail();
}

static void defer_and_cancel(struct loop_task *t)
{
	struct fixture *f = CONTAINER_OF(t, struct fixture, task);
	loop_defer(&f->loop, &f->never);
	loop_defer_cancel(&f->never);
	loop_stop(&f->loop);
}

static void a_cancelled_deferral_does_not_keep_the_loop_awake(void **state)
{
	struct fixture f = {.task.run = defer_and_cancel};
	loop_init(&f.loop, "test");
	loop_defer_init(&f.never, must_not_run);
	loop_post(&f.loop, &f.task);
	loop_run(&f.loop); /* spun for ever when the idle handle stayed */
	assert_false(uv_is_active((uv_handle_t *)&f.loop.no_sleep));
	loop_release(&f.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_cancelled_deferral_does_not_keep_the_loop_awake),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
