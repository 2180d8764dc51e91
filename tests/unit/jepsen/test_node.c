/* jepsen/node: the life of a process, with programs that are always there. */
#include "tests/unit/unit.h"

#include "jepsen/command.h"
#include "jepsen/node.h"

#include <signal.h>
#include <sys/wait.h>

static struct net_node here = {.ns_fd = NAMESPACE_OURS};

static struct node make(void)
{
	return (struct node){.name = "n1", .net = &here, .log_path = "/dev/null"};
}

static void start(struct node *n, const char *program, const char *argument)
{
	const char *const argv[] = {program, argument, NULL};
	struct err err = ERR_INIT;
	assert_int_equal(node_start(n, argv, NULL, &err), 0);
	assert_int_equal(n->state, NODE_UP);
}

static void it_is_killed_and_stopped(void **state)
{
	struct node n = make();
	start(&n, "sleep", "1000");
	assert_false(node_poll(&n));
	node_kill(&n);
	assert_int_equal(n.state, NODE_DOWN);
	assert_true(WIFSIGNALED(n.last_status));
	node_kill(&n); /* nothing to do */
	start(&n, "sleep", "1000");
	assert_true(node_stop(&n, 5000));
	assert_int_equal(n.state, NODE_DOWN);
	assert_int_equal(WTERMSIG(n.last_status), SIGTERM);
	assert_true(node_stop(&n, 5000)); /* nothing to do */
}

static void it_stands_still_and_goes_on(void **state)
{
	struct node n = make();
	int status;
	start(&n, "sleep", "1000");
	node_pause(&n);
	assert_int_equal(n.state, NODE_PAUSED);
	assert_int_equal(waitpid(n.pid, &status, WUNTRACED), n.pid);
	assert_true(WIFSTOPPED(status));
	node_resume(&n);
	assert_int_equal(n.state, NODE_UP);
	node_pause(&n);
	node_kill(&n);
	assert_int_equal(n.state, NODE_DOWN);
}

static void an_end_by_itself_is_seen_once(void **state)
{
	struct node n = make();
	siginfo_t info;
	start(&n, "false", NULL);
	assert_int_equal(waitid(P_PID, (id_t)n.pid, &info, WEXITED | WNOWAIT), 0);
	assert_true(node_poll(&n));
	assert_int_equal(WEXITSTATUS(n.last_status), 1);
	assert_int_equal(n.state, NODE_DOWN);
	assert_false(node_poll(&n));
}

static void what_does_not_start_is_an_error(void **state)
{
	const char *const argv[] = {"/no/such/server", NULL};
	struct node n = make();
	struct err err = ERR_INIT;
	assert_int_not_equal(node_start(&n, argv, NULL, &err), 0);
	assert_non_null(strstr(err.msg, "n1"));
	assert_int_equal(n.state, NODE_DOWN);
}

/* What was seen by somebody who started it again is not lost to those who judge. */
static void a_crash_is_remembered_until_it_is_reported(void **state)
{
	struct node n = make();
	siginfo_t info;
	start(&n, "sleep", "1000");
	kill(n.pid, SIGABRT);
	assert_int_equal(waitid(P_PID, (id_t)n.pid, &info, WEXITED | WNOWAIT), 0);
	assert_true(node_poll(&n));
	start(&n, "sleep", "1000");
	assert_int_equal(n.crash, SIGABRT);
	n.crash = 0;
	kill(n.pid, SIGSEGV);
	assert_int_equal(waitid(P_PID, (id_t)n.pid, &info, WEXITED | WNOWAIT), 0);
	node_kill(&n); /* too late */
	assert_int_equal(n.crash, SIGSEGV);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(it_is_killed_and_stopped),
	        cmocka_unit_test(it_stands_still_and_goes_on), cmocka_unit_test(an_end_by_itself_is_seen_once),
	        cmocka_unit_test(what_does_not_start_is_an_error),
	        cmocka_unit_test(a_crash_is_remembered_until_it_is_reported)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
