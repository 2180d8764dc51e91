/* Declared machines: allowed moves are taken, others and broken invariants end the process. */
#include "tests/unit/unit.h"

#include "base/check.h"
#include "base/log.h"
#include "base/rt/sm.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DOOR_CLOSED, DOOR_OPEN, DOOR_GONE };

struct door {
	struct sm sm;
	bool is_locked;
};

static bool invariant(const struct sm *m, int before)
{
	const struct door *d = CONTAINER_OF(m, struct door, sm);
	return !(sm_state(m) == DOOR_OPEN && d->is_locked) && before != DOOR_GONE;
}

static const struct sm_state states[] = {
        [DOOR_CLOSED] = {"closed", SM_TO(DOOR_OPEN) | SM_TO(DOOR_GONE)},
        [DOOR_OPEN] = {"open", SM_TO(DOOR_CLOSED) | SM_TO(DOOR_OPEN)},
        [DOOR_GONE] = {"gone", 0},
};
static const struct sm_kind machine = SM_KIND("door", states, invariant);

/* Does it end by SIGABRT? */
static bool dies(void (*fn)(struct door *d), struct door d)
{
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(2);
		fn(&d);
		_exit(0);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void open_it(struct door *d)
{
	sm_move(&d->sm, DOOR_OPEN);
}

static void moves_of_the_table_are_taken(void **state)
{
	struct door d = {0};
	sm_init(&d.sm, &machine, DOOR_CLOSED, "front");
	assert_string_equal(sm_state_name(&d.sm), "closed");
	open_it(&d);
	open_it(&d);
	assert_int_equal(sm_state(&d.sm), DOOR_OPEN);
	assert_false(sm_may_move(&d.sm, DOOR_GONE));
	sm_move(&d.sm, DOOR_CLOSED);
	assert_false(sm_is_over(&d.sm));
	sm_move(&d.sm, DOOR_GONE);
	assert_true(sm_is_over(&d.sm));
}

static void a_move_is_logged_with_its_states(void **state)
{
	struct door d = {0};
	char line[256] = "";
	FILE *file = tmpfile();
	assert_non_null(file);
	sm_init(&d.sm, &machine, DOOR_CLOSED, "front");
	log_set_fd(fileno(file));
	log_set_level(LOG_DEBUG);
	open_it(&d);
	log_set_level(LOG_INFO);
	log_set_fd(STDERR_FILENO);
	rewind(file);
	assert_non_null(fgets(line, sizeof line, file));
	assert_non_null(strstr(line, "DEBUG door: moved of=front from=closed to=open"));
	fclose(file);
}

static void a_state_that_is_none_may_not_be_moved_to(void **state)
{
	struct door d = {0};
	sm_init(&d.sm, &machine, DOOR_CLOSED, NULL);
	assert_false(sm_may_move(&d.sm, -1));
	assert_false(sm_may_move(&d.sm, 3));
	assert_false(sm_may_move(&d.sm, 40));
}

static void other_moves_end_the_process(void **state)
{
	struct door d = {0};
	sm_init(&d.sm, &machine, DOOR_GONE, "front");
	assert_true(dies(open_it, d));
}

static void a_broken_invariant_ends_the_process(void **state)
{
	struct door d = {.is_locked = true};
	sm_init(&d.sm, &machine, DOOR_CLOSED, "front");
	assert_true(dies(open_it, d));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(moves_of_the_table_are_taken),
	        cmocka_unit_test(a_move_is_logged_with_its_states),
	        cmocka_unit_test(a_state_that_is_none_may_not_be_moved_to),
	        cmocka_unit_test(other_moves_end_the_process),
	        cmocka_unit_test(a_broken_invariant_ends_the_process),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
