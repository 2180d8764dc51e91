/* See process.h. What can go wrong: no such program (posix_spawnp says so at once, as the C library waits for exec), no
 * descriptors left, a kernel without pidfd (before 5.3; ERR_IO with the errno). */
#include "base/proc/process.h"

#include "base/mem/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct process {
	struct process_options options;
	pid_t pid;
	int pidfd;
	int output_fd; /* a memfd, -1 when the output goes to a file */
	uv_poll_t poll;
};

extern char **environ;

static void freed(uv_handle_t *h)
{
	struct process *p = h->data;
	close(p->pidfd);
	if (p->output_fd >= 0)
		close(p->output_fd);
	free(p);
}

static void read_output(struct process *p, struct strbuf *out)
{
	off_t end = lseek(p->output_fd, 0, SEEK_END);
	off_t from = end > PROCESS_OUTPUT_BYTES_MAX ? end - PROCESS_OUTPUT_BYTES_MAX : 0;
	if (end <= 0)
		return;
	strbuf_reserve(out, (size_t)(end - from) + 1);
	ssize_t n = pread(p->output_fd, out->data, (size_t)(end - from), from);
	if (n > 0) {
		out->len = (size_t)n;
		out->data[n] = 0;
	}
}

static void ended(uv_poll_t *h, int status, int events)
{
	struct process *p = h->data;
	int code = 255, wait_status;
	struct strbuf output = STRBUF_INIT;
	pid_t got = waitpid(p->pid, &wait_status, WNOHANG);
	if (got == 0)
		return;
	if (got == p->pid)
		code = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
	uv_poll_stop(h);
	if (p->output_fd >= 0)
		read_output(p, &output);
	p->options.on_exit(p, code, strbuf_slice(&output), p->options.arg);
	strbuf_release(&output);
	uv_close((uv_handle_t *)h, freed);
}

static int spawn(struct process *p, int output, struct err *err)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, all;
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, output, 1);
	posix_spawn_file_actions_adddup2(&files, output, 2);
	posix_spawn_file_actions_addclosefrom_np(&files, 3);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	const char *const *env = p->options.env ? p->options.env : (const char *const *)environ;
	int rc = posix_spawnp(
	        &p->pid, p->options.argv[0], &files, &attr, (char *const *)p->options.argv, (char *const *)env);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	return rc == 0 ? 0 : err_errno(err, rc, "start %s", p->options.argv[0]);
}

static int open_output(struct process *p, struct err *err)
{
	const char *file = p->options.output_file;
	int fd = file ? open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640)
	              : memfd_create("output", MFD_CLOEXEC);
	if (fd < 0)
		return err_errno(
		        err, errno, "open %s for the output of %s", file ? file : "memory", p->options.argv[0]);
	return fd;
}

int process_start(const struct process_options *options, struct process **ret, struct err *err)
{
	struct process *p = xcalloc(1, sizeof *p);
	p->options = *options;
	p->output_fd = p->pidfd = -1;
	int fd = open_output(p, err);
	if (fd < 0 || spawn(p, fd, err) != 0)
		goto fail;
	p->pidfd = (int)syscall(SYS_pidfd_open, p->pid, 0);
	if (p->pidfd < 0) {
		err_errno(err, errno, "watch %s", options->argv[0]);
		kill(p->pid, SIGKILL);
		waitpid(p->pid, NULL, 0);
		goto fail;
	}
	fcntl(p->pidfd, F_SETFD, FD_CLOEXEC);
	if (options->output_file)
		close(fd);
	else
		p->output_fd = fd;
	uv_poll_init(loop_uv(options->loop), &p->poll, p->pidfd);
	p->poll.data = p;
	uv_poll_start(&p->poll, UV_READABLE, ended);
	*ret = p;
	return 0;
fail:
	if (fd >= 0)
		close(fd);
	free(p);
	return err->code;
}

pid_t process_pid(const struct process *p)
{
	return p->pid;
}

void process_signal(struct process *p, int signal_number)
{
	kill(p->pid, signal_number); /* not yet waited for, so the pid is still its own */
}

void process_forget(struct process *p)
{
	uv_poll_stop(&p->poll);
	uv_close((uv_handle_t *)&p->poll, freed);
}

int process_set_own_oom_score(struct err *err)
{
	char text[16];
	int n = snprintf(text, sizeof text, "%d", PROCESS_OOM_SCORE_ADJ);
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, (size_t)n) != n) {
		int e = errno;
		if (fd >= 0)
			close(fd);
		return err_errno(err, e, "write %s to /proc/self/oom_score_adj", text);
	}
	close(fd);
	return 0;
}

enum { ARGUMENTS_MAX = 1024 };

/* What this process was started with; NULL-terminated. */
static int read_arguments(struct arena *a, char *ret[ARGUMENTS_MAX + 1], struct err *err)
{
	static const char path[] = "/proc/self/cmdline";
	FILE *f = fopen(path, "re");
	char *one = NULL;
	size_t room = 0, n = 0;
	if (!f)
		return err_errno(err, errno, "read %s", path);
	while (n < ARGUMENTS_MAX && getdelim(&one, &room, 0, f) > 0)
		ret[n++] = arena_strdup(a, one);
	bool is_whole = feof(f);
	ret[n] = NULL;
	free(one);
	fclose(f);
	return is_whole ? 0 : err_set(err, ERR_IO, "%s: more than %d arguments", path, ARGUMENTS_MAX);
}

int process_restart(struct err *err)
{
	struct arena a = ARENA_INIT;
	char *argv[ARGUMENTS_MAX + 1], program[PATH_MAX] = "";
	sigset_t none;
	/* By its path, of which the kernel makes the name that it shows; by the link when somebody has replaced it. */
	if (readlink("/proc/self/exe", program, sizeof program - 1) < 0 || access(program, X_OK) != 0)
		snprintf(program, sizeof program, "/proc/self/exe");
	if (read_arguments(&a, argv, err) == 0) {
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		/* Before Linux 5.11 each says it of itself, as all of ours do. */
		syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
		sigemptyset(&none);
		pthread_sigmask(SIG_SETMASK, &none, NULL);
		execv(program, argv);
		err_errno(err, errno, "begin this process anew");
	}
	arena_release(&a);
	return err->code;
}

void process_raise_file_limit(void)
{
	struct rlimit l;
	if (getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur < l.rlim_max) {
		l.rlim_cur = l.rlim_max;
		setrlimit(RLIMIT_NOFILE, &l);
	}
}
