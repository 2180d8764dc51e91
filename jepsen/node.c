/* See node.h. */
#include "jepsen/node.h"

#include "base/check.h"
#include "jepsen/command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int node_start(struct node *n, const char *const *argv, const char *const *env, struct err *err)
{
	CHECK(n->state == NODE_DOWN);
	int log = open(n->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (log < 0)
		return err_errno(err, errno, "open %s", n->log_path);
	int rc = command_start(n->net->ns_fd, argv, env, -1, log, &n->pid, err);
	if (n->excused)
		n->log_offset = lseek(log, 0, SEEK_END);
	close(log);
	if (rc != 0)
		return err_wrap(err, "node %s", n->name);
	n->state = NODE_UP;
	n->excused = false;
	return 0;
}

/* A signal that is not ours was its own fault. */
static void note_end(struct node *n)
{
	int signal = WIFSIGNALED(n->last_status) ? WTERMSIG(n->last_status) : 0;
	if (signal && signal != SIGKILL && signal != SIGTERM)
		n->crash = signal;
	n->state = NODE_DOWN;
}

static void reap(struct node *n)
{
	while (waitpid(n->pid, &n->last_status, 0) < 0 && errno == EINTR)
		;
	note_end(n);
}

void node_kill(struct node *n)
{
	if (n->state == NODE_DOWN)
		return;
	kill(n->pid, SIGKILL);
	reap(n);
}

bool node_stop(struct node *n, int wait_ms)
{
	if (n->state == NODE_DOWN)
		return true;
	node_resume(n);
	int fd = (int)syscall(SYS_pidfd_open, n->pid, 0);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	kill(n->pid, SIGTERM);
	bool in_time = fd >= 0 && poll(&p, 1, wait_ms) == 1;
	if (!in_time)
		kill(n->pid, SIGKILL);
	if (fd >= 0)
		close(fd);
	reap(n);
	return in_time;
}

void node_pause(struct node *n)
{
	if (n->state != NODE_UP)
		return;
	kill(n->pid, SIGSTOP);
	n->state = NODE_PAUSED;
}

void node_resume(struct node *n)
{
	if (n->state != NODE_PAUSED)
		return;
	kill(n->pid, SIGCONT);
	n->state = NODE_UP;
}

bool node_poll(struct node *n)
{
	if (n->state == NODE_DOWN || waitpid(n->pid, &n->last_status, WNOHANG) != n->pid)
		return false;
	note_end(n);
	return true;
}
