/* See command.h. A thread joins the namespace, starts the child and goes back: namespaces belong to threads. */
#include "jepsen/command.h"

#include "base/check.h"
#include "base/mem/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORDS_MAX = 32, LINE_BYTES_MAX = 2048 };

extern char **environ;

static int spawn(const char *const *argv, const char *const *env, int in_fd, int out_fd, pid_t *ret, struct err *err)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, all;
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawn_file_actions_adddup2(&actions, in_fd, 0);
	posix_spawn_file_actions_adddup2(&actions, out_fd, 1);
	posix_spawn_file_actions_adddup2(&actions, out_fd, 2);
	posix_spawn_file_actions_addclosefrom_np(&actions, 3);
	int rc = posix_spawnp(ret, argv[0], &actions, &attr, (char *const *)argv, env ? (char *const *)env : environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	return rc ? err_errno(err, rc, "start %s", argv[0]) : 0;
}

int command_start(
        int ns_fd, const char *const *argv, const char *const *env, int in_fd, int out_fd, pid_t *ret, struct err *err)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), back = -1;
	if (null < 0)
		return err_errno(err, errno, "open /dev/null");
	if (ns_fd != NAMESPACE_OURS) {
		back = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
		if (back < 0 || setns(ns_fd, CLONE_NEWNET) != 0) {
			err_errno(err, errno, "join a network namespace");
			close(null);
			if (back >= 0)
				close(back);
			return err->code;
		}
	}
	int rc = spawn(argv, env, in_fd < 0 ? null : in_fd, out_fd < 0 ? null : out_fd, ret, err);
	if (back >= 0) {
		CHECK(setns(back, CLONE_NEWNET) == 0);
		close(back);
	}
	close(null);
	return rc;
}

/* Input and output go through files in memory: nothing can fill up and block. */
static int memory_file(const char *content)
{
	int fd = memfd_create("command", MFD_CLOEXEC);
	CHECK(fd >= 0);
	if (content) {
		size_t len = strlen(content);
		CHECK(write(fd, content, len) == (ssize_t)len);
		CHECK(lseek(fd, 0, SEEK_SET) == 0);
	}
	return fd;
}

static void read_all(int fd, struct strbuf *out)
{
	char part[4096];
	ssize_t n;
	lseek(fd, 0, SEEK_SET);
	while ((n = read(fd, part, sizeof part)) > 0)
		strbuf_add(out, part, (size_t)n);
}

int command_run(int ns_fd, const char *const *argv, const char *input, struct strbuf *output, struct err *err)
{
	struct strbuf said = STRBUF_INIT;
	int in = memory_file(input), out = memory_file(NULL), status = 0;
	pid_t pid;
	int rc = command_start(ns_fd, argv, NULL, in, out, &pid, err);
	if (rc == 0) {
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		read_all(out, &said);
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
			rc = err_set(err, ERR_IO, "%s %s: %.300s", argv[0], argv[1] ? argv[1] : "",
			        said.len ? strbuf_cstr(&said) : "failed without a word");
		else if (output)
			strbuf_add_slice(output, strbuf_slice(&said));
	}
	close(in);
	close(out);
	strbuf_release(&said);
	return rc;
}

int command_line(int ns_fd, struct err *err, const char *fmt, ...)
{
	char line[LINE_BYTES_MAX];
	const char *argv[WORDS_MAX + 1] = {NULL};
	char *rest = line, *word;
	int n = 0;
	va_list ap;
	va_start(ap, fmt);
	int len = vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	CHECK(len < (int)sizeof line);
	while ((word = strsep(&rest, " ")) != NULL)
		if (*word && n < WORDS_MAX)
			argv[n++] = word;
	return command_run(ns_fd, argv, NULL, NULL, err);
}
