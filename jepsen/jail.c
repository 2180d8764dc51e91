/* See jail.h. */
#include "jepsen/jail.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t stop_asked;
static volatile pid_t child;

static void on_signal_inside(int number)
{
	stop_asked = 1;
}

static void on_signal_outside(int number)
{
	if (child > 0)
		kill(child, SIGTERM);
}

bool jail_should_stop(void)
{
	return stop_asked;
}

static void handle(int number, void (*handler)(int))
{
	struct sigaction a = {.sa_handler = handler, .sa_flags = SA_RESTART};
	sigaction(number, &a, NULL);
}

static int first_process(int (*inside)(void *arg), void *arg)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	handle(SIGTERM, on_signal_inside);
	handle(SIGINT, SIG_IGN); /* of a terminal: the parent passes it on */
	handle(SIGPIPE, SIG_IGN);
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 || mount("proc", "/proc", "proc", 0, NULL) != 0) {
		fprintf(stderr, "jepsen: mounts of our own: %s\n", strerror(errno));
		return 1;
	}
	return inside(arg);
}

int jail_run(int (*inside)(void *arg), void *arg)
{
	int status;
	if (unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID) != 0) {
		fprintf(stderr, "jepsen: namespaces of our own: %s (root is needed)\n", strerror(errno));
		return 1;
	}
	fflush(NULL);
	child = fork();
	if (child < 0) {
		fprintf(stderr, "jepsen: fork: %s\n", strerror(errno));
		return 1;
	}
	if (child == 0) {
		int code = first_process(inside, arg);
		fflush(NULL);
		_exit(code);
	}
	handle(SIGTERM, on_signal_outside);
	handle(SIGINT, on_signal_outside);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
