/* The zygote's children: a process per container, and one per module that is being compiled.
 *
 *     fork --> it builds its root and loads the module --> `told` closes: STARTED     (something was told: FAILED)
 *          --> it ends, and its output is read to the end --> the file `exit` is written --> EXITED
 *
 * stdout and stderr are named pipes in the container's folder, which the container holds open for reading too: when the
 * zygote dies, writers neither get a signal nor lose what is in the pipe, and the next zygote reads on. A process that
 * an earlier zygote forked is watched through a pidfd; its exit code nobody can tell, which is what `exit` then says.
 */
#include "base/check.h"
#include "base/limits.h"
#include "node/ground/files.h"
#include "node/wasm/module/module_cache.h"
#include "node/wasm/zygote/runner.h"
#include "node/wasm/protocol/traces.h"
#include "node/wasm/zygote/zygote_int.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { READ_BYTES = 65536, TOLD_BYTES_MAX = 2048, COMPILER_NICENESS = 5 };

static const char *const pipes[] = {"out", "err"};

static struct child *child_of(struct zygote *z, const char *id)
{
	return map_get(&z->children, slice_of(id));
}

static struct child *child_new(struct zygote *z, enum child_kind kind, const char *id)
{
	struct child *c = xcalloc(1, sizeof *c);
	c->kind = kind;
	snprintf(c->id, sizeof c->id, "%s", id);
	c->told.fd = c->process.fd = c->output[0].fd = c->output[1].fd = -1;
	c->log.fd = -1;
	struct source *all[] = {&c->told, &c->process, &c->output[0], &c->output[1]};
	for (size_t i = 0; i < 4; i++)
		all[i]->child = c, all[i]->z = z;
	map_put(&z->children, slice_of(c->id), c);
	return c;
}

/* From now on its end is known by its pid. */
static void keep_pid(struct zygote *z, struct child *c)
{
	snprintf(c->pid_text, sizeof c->pid_text, "%d", c->pid);
	map_put(&z->pids, slice_of(c->pid_text), c);
}

static void child_free(struct zygote *z, struct child *c)
{
	struct source *all[] = {&c->told, &c->process, &c->output[0], &c->output[1]};
	for (size_t i = 0; i < 4; i++)
		zygote_unwatch(all[i]);
	if (c->log.path)
		log_writer_close(&c->log, wasm_now_ns());
	map_del(&z->children, slice_of(c->id));
	if (*c->pid_text)
		map_del(&z->pids, slice_of(c->pid_text));
	strbuf_release(&c->why);
	free(c->box);
	free(c);
}

/* ---- the end ---- */

static void read_output(struct source *s)
{
	static char buffer[READ_BYTES];
	struct child *c = s->child;
	for (;;) {
		ssize_t n = read(s->fd, buffer, sizeof buffer);
		if (n < 0 && errno == EINTR)
			continue;
		if (n > 0)
			log_writer_add(&c->log, s == &c->output[1], (struct slice){buffer, (size_t)n}, wasm_now_ns());
		if (n == 0)
			zygote_unwatch(s);
		/* One that writes without end does not keep the zygote from the others. */
		if (n < (ssize_t)sizeof buffer || !c->has_ended)
			return;
	}
}

static void write_exit(struct zygote *z, struct child *c, const char *message)
{
	struct wasm_exit x = {c->code, wasm_now_ns(), message};
	struct err err = ERR_INIT;
	if (wasm_exit_write(z->o.state, c->id, &x, &err) != 0)
		fprintf(stderr, "cannot tell how container %s ended: %s\n", c->id, err.msg);
}

static void container_ended(struct zygote *z, struct child *c)
{
	struct arena a = ARENA_INIT;
	for (int i = 0; i < 2; i++) {
		if (c->output[i].fd >= 0)
			read_output(&c->output[i]);
		unlink(wasm_container_path(&a, z->o.state, c->id, pipes[i]));
	}
	write_exit(z, c, c->is_adopted ? WASM_EXIT_UNKNOWN : "");
	zygote_tell(z, WASM_EXITED, c->id, c->code, SLICE_NULL, -1);
	arena_release(&a);
	child_free(z, c);
}

static void compiler_ended(struct zygote *z, struct child *c)
{
	if (c->code == 0)
		zygote_tell(z, WASM_COMPILED, c->id, 0, SLICE_NULL, -1);
	else
		zygote_tell(z, WASM_FAILED, c->id, c->code,
		        c->why.len ? strbuf_slice(&c->why) : SLICE("the compiler crashed, or took too long"), -1);
	child_free(z, c);
}

/* It has ended, and what it told before it ran has been read. */
static void settle(struct zygote *z, struct child *c)
{
	if (!c->has_ended || c->told.fd >= 0)
		return;
	if (c->kind == CHILD_COMPILER)
		compiler_ended(z, c);
	else if (c->is_started)
		container_ended(z, c);
	else
		child_free(z, c); /* FAILED was told */
}

static void started(struct zygote *z, struct child *c)
{
	struct wasm_process p = {.pid = c->pid,
	        .born_ticks = wasm_born_ticks(c->pid),
	        .started_ns = wasm_now_ns(),
	        .box = c->box,
	        .log_path = c->log.path};
	struct err err = ERR_INIT;
	c->is_started = true;
	if (wasm_process_write(z->o.state, c->id, &p, &err) != 0)
		fprintf(stderr, "cannot write who container %s is: %s\n", c->id, err.msg);
	zygote_tell(z, WASM_STARTED, c->id, c->pid, SLICE_NULL, -1);
}

static void told(struct source *s)
{
	struct child *c = s->child;
	char text[TOLD_BYTES_MAX];
	ssize_t n = read(s->fd, text, sizeof text);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n > 0) {
		strbuf_add(&c->why, text, c->why.len + (size_t)n > TOLD_BYTES_MAX ? 0 : (size_t)n);
		return;
	}
	zygote_unwatch(s);
	if (c->kind == CHILD_CONTAINER && !c->why.len)
		started(s->z, c);
	else if (c->kind == CHILD_CONTAINER)
		zygote_tell(s->z, WASM_FAILED, c->id, 0, strbuf_slice(&c->why), -1);
	settle(s->z, c);
}

void children_reap(struct zygote *z)
{
	int status;
	char text[16];
	for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
		snprintf(text, sizeof text, "%d", pid);
		struct child *c = map_get(&z->pids, slice_of(text));
		if (!c)
			continue;
		c->has_ended = true;
		c->code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		settle(z, c);
	}
}

/* ---- the start ---- */

static void failed(struct zygote *z, const char *id, const struct err *err)
{
	zygote_tell(z, WASM_FAILED, id, 0, slice_of(err->msg), -1);
}

static int open_pipes(struct zygote *z, struct child *c, int writers[2], struct err *err)
{
	struct arena a = ARENA_INIT;
	for (int i = 0; i < 2 && !err->code; i++) {
		const char *path = wasm_container_path(&a, z->o.state, c->id, pipes[i]);
		int reader = -1;
		if (mkfifo(path, 0600) != 0 && errno != EEXIST)
			err_errno(err, errno, "make %s", path);
		/* The container's end reads too: it is never without a reader. */
		else if ((writers[i] = open(path, O_RDWR | O_CLOEXEC)) < 0 ||
		         (reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)) < 0)
			err_errno(err, errno, "open %s", path);
		else
			zygote_watch(z, &c->output[i], reader, read_output);
	}
	arena_release(&a);
	return err->code;
}

/* The pid namespace of the next fork. */
static pid_t fork_apart(struct err *err)
{
	static int own = -1;
	if (own < 0)
		own = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
	if (own < 0 || unshare(CLONE_NEWPID) != 0) {
		err_errno(err, errno, "make a pid namespace");
		return -1;
	}
	pid_t pid = fork();
	if (pid < 0)
		err_errno(err, errno, "fork");
	if (pid != 0)
		CHECK(setns(own, CLONE_NEWPID) == 0);
	return pid;
}

static void be_a_child(void)
{
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
}

static pid_t fork_container(struct zygote *z, struct child *c, struct wasm_start *start, struct err *err)
{
	pid_t pid = fork_apart(err);
	if (pid != 0)
		return pid;
	struct arena a = ARENA_INIT;
	be_a_child();
	start->spec_file = wasm_container_path(&a, z->o.state, c->id, "spec.json");
	start->box = ZYGOTE_BOX;
	wasm_runner(z->engine, start);
}

static int begin(struct zygote *z, struct child *c, struct wasm_start *start, struct err *err)
{
	int ends[2], writers[2] = {-1, -1};
	if (pipe2(ends, O_CLOEXEC) != 0)
		return err_errno(err, errno, "make a pipe");
	if (open_pipes(z, c, writers, err) == 0) {
		start->out = writers[0], start->error = writers[1], start->told = ends[1];
		c->pid = fork_container(z, c, start, err);
	}
	for (int i = 0; i < 2; i++)
		if (writers[i] >= 0)
			close(writers[i]);
	close(ends[1]);
	zygote_watch(z, &c->told, ends[0], told);
	if (c->pid > 0)
		keep_pid(z, c);
	return err->code;
}

void child_start(struct zygote *z, const struct wasm_frame *f, const int *fds, size_t count)
{
	struct err err = ERR_INIT;
	struct slice log = f->text, box = slice_cut(&log, '\n');
	char path[WASM_TEXT_BYTES_MAX + 1];
	if (child_of(z, f->id)) {
		err_set(&err, ERR_EXISTS, "container %s runs already", f->id);
		failed(z, f->id, &err);
		return;
	}
	if (f->number >= 0 && f->number <= UINT32_MAX)
		wasm_engine_prepare(z->engine, (uint32_t)f->number);
	struct child *c = child_new(z, CHILD_CONTAINER, f->id);
	struct wasm_start start = {.descriptors = fds, .descriptors_count = count};
	c->box = xmemdup(box.ptr ? box.ptr : "", box.len);
	snprintf(path, sizeof path, "%.*s", SLICE_FMT(log));
	if (log_writer_open(&c->log, path, &err) != 0 || begin(z, c, &start, &err) != 0) {
		failed(z, f->id, &err);
		child_free(z, c);
	}
}

/* ---- compiling ---- */

/* Into a file beside, which becomes the library when it is whole. The engine names a temporary file by its output's. */
__attribute__((noreturn)) static void compile_here(struct zygote *z, const char *digest, int told_fd)
{
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	struct rlimit time = {WASM_COMPILE_CPU_S_MAX, WASM_COMPILE_CPU_S_MAX}, core = {0, 0};
	const char *module = arena_printf(&a, "%s/cache/%s.wasm", z->o.state, digest),
	           *base = arena_printf(&a, "%s/cache/%s", z->o.state, digest),
	           *beside = arena_printf(&a, "%s/cache/%s.new.so", z->o.state, digest);
	be_a_child();
	setrlimit(RLIMIT_CPU, &time);
	setrlimit(RLIMIT_CORE, &core);
	setpriority(PRIO_PROCESS, 0, COMPILER_NICENESS);
	umask(022);
	if (wasm_engine_compile(z->engine, module, beside, &err) == 0)
		module_cache_take(base, beside, &err);
	if (err.code)
		unlink(beside);
	ssize_t n = err.code ? write(told_fd, err.msg, strlen(err.msg)) : 0;
	(void)n;
	_exit(err.code ? 1 : 0);
}

void child_compile(struct zygote *z, const char *digest)
{
	struct err err = ERR_INIT;
	int ends[2];
	if (child_of(z, digest))
		return; /* under way */
	if (pipe2(ends, O_CLOEXEC) != 0) {
		err_errno(&err, errno, "make a pipe");
		failed(z, digest, &err);
		return;
	}
	struct child *c = child_new(z, CHILD_COMPILER, digest);
	fflush(NULL);
	c->pid = fork();
	if (c->pid == 0)
		compile_here(z, digest, ends[1]);
	close(ends[1]);
	zygote_watch(z, &c->told, ends[0], told);
	if (c->pid > 0) {
		keep_pid(z, c);
		return;
	}
	err_errno(&err, errno, "fork");
	failed(z, digest, &err);
	child_free(z, c);
}

/* ---- while it runs ---- */

void child_signal(struct zygote *z, const char *id, int number)
{
	struct child *c = child_of(z, id);
	if (!c || c->kind != CHILD_CONTAINER || c->has_ended)
		return;
	if (c->is_adopted)
		syscall(__NR_pidfd_send_signal, c->process.fd, number, NULL, 0);
	else
		kill(c->pid, number);
}

void child_reopen_log(struct zygote *z, const char *id)
{
	struct child *c = child_of(z, id);
	struct err err = ERR_INIT;
	if (c && c->log.path && log_writer_reopen(&c->log, &err) != 0)
		fprintf(stderr, "cannot begin the log of container %s anew: %s\n", id, err.msg);
}

pid_t child_in_box(struct zygote *z, const char *box)
{
	MAP_FOREACH (it, &z->children) {
		struct child *c = it->value;
		if (c->kind == CHILD_CONTAINER && strcmp(c->box, box) == 0 && !c->has_ended)
			return c->pid;
	}
	return 0;
}

/* ---- another's ---- */

static void adopted_ended(struct source *s)
{
	struct child *c = s->child;
	c->has_ended = true;
	c->code = WASM_EXIT_CODE_UNKNOWN;
	settle(s->z, c);
}

static void adopt(struct zygote *z, struct arena *a, const char *id)
{
	struct wasm_process p;
	struct err err = ERR_INIT;
	struct wasm_exit x;
	if (wasm_process_read(a, z->o.state, id, &p, &err) != 0 || wasm_exit_read(a, z->o.state, id, &x, &err) == 0)
		return; /* never ran, or ended in order */
	struct child *c = child_new(z, CHILD_CONTAINER, id);
	c->is_adopted = c->is_started = true;
	c->pid = p.pid;
	c->box = xstrdup(p.box);
	err = ERR_INIT;
	if (log_writer_open(&c->log, p.log_path, &err) != 0)
		fprintf(stderr, "what container %s writes is lost: %s\n", id, err.msg);
	for (int i = 0; i < 2; i++) {
		int fd = open(wasm_container_path(a, z->o.state, id, pipes[i]), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		if (fd >= 0)
			zygote_watch(z, &c->output[i], fd, read_output);
	}
	int fd = (int)syscall(__NR_pidfd_open, p.pid, 0);
	if (fd >= 0)
		zygote_watch(z, &c->process, fd, adopted_ended);
	if (fd < 0 || !wasm_is_alive(&p))
		adopted_ended(&c->process);
}

void children_adopt(struct zygote *z)
{
	struct arena a = ARENA_INIT;
	DIR *d = opendir(arena_printf(&a, "%s/containers", z->o.state));
	for (struct dirent *e; d && (e = readdir(d));)
		if (wasm_id_is_good(slice_of(e->d_name)))
			adopt(z, &a, e->d_name);
	if (d)
		closedir(d);
	arena_release(&a);
}
