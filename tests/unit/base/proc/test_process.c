/* A process that begins anew in its place: who it is then, and what it has left behind. */
#include "base/proc/process.h"

#include "tests/unit/unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define MARK "K3X_TEST_RESTARTED_FROM"

enum { FOUND_ALL = 7, OPEN_FD = 100 };

/* In the process that has begun anew. */
static int look_around(int argc, char **argv)
{
	sigset_t blocked;
	sigprocmask(SIG_BLOCK, NULL, &blocked);
	bool is_same = atoi(getenv(MARK)) == getpid(), is_closed = fcntl(OPEN_FD, F_GETFD) < 0;
	return argc > 0 && argv[argc] == NULL && is_same && is_closed && !sigismember(&blocked, SIGTERM) ? FOUND_ALL
	                                                                                                 : 1;
}

static void a_process_begins_anew_in_its_place(void **state)
{
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct err err = ERR_INIT;
		char text[16];
		sigset_t term;
		snprintf(text, sizeof text, "%d", getpid());
		setenv(MARK, text, 1);
		dup2(0, OPEN_FD);
		sigemptyset(&term);
		sigaddset(&term, SIGTERM);
		sigprocmask(SIG_BLOCK, &term, NULL);
		process_restart(&err);
		_exit(2);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), FOUND_ALL);
}

int main(int argc, char **argv)
{
	if (getenv(MARK))
		return look_around(argc, argv);
	const struct CMUnitTest tests[] = {cmocka_unit_test(a_process_begins_anew_in_its_place)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
