/* Keeps a zygote running and the connection to it open.
 *
 *     TRYING: connect --(refused)--> start one, unless ours is starting --> try again in CONNECT_MS
 *             connected --> HELLO --> UP --(it ends)--> TRYING
 *
 * With a root of its own the zygote is started by the loader and with the libraries of that folder: machines whose
 * Debian has no WasmEdge, or an older C library, can run it so. It writes what goes wrong to a file, whose last line
 * says why it ended: no library, most of the time. It is tried again with a growing pause, and the node's other pods do
 * not care.
 *
 * Packets that the socket does not take are kept, with their descriptors, until it does. */
#include "node/wasm/link.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem/arena.h"
#include "base/proc/process.h"
#include "node/ground/files.h"
#include "node/ground/retry.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { CONNECT_MS = 20, FAILED_LOG_BYTES = 2000 };

static const struct retry_rule start_rule = {500, 60000};

struct packet {
	struct list_link link;
	struct strbuf bytes;
	int *fds;
	size_t count;
};

struct wasm_link {
	struct wasm_link_options o;
	struct arena arena;
	const char *socket_path, *log_file, *trouble;
	struct err err; /* of the last start */
	struct process *child;
	struct retry starts;
	bool started_one, is_up;
	int fd; /* -1: none */
	uv_poll_t *poll;
	uv_timer_t timer;
	struct list_link waiting;
	void (*closed)(void *arg);
	void *closed_arg;
};

static void try_now(uv_timer_t *t);

static void again(struct wasm_link *l, unsigned ms)
{
	uv_timer_start(&l->timer, try_now, ms, 0);
}

/* ---- packets ---- */

static bool send_now(int to, const struct packet *p)
{
	struct iovec part = {p->bytes.data, p->bytes.len};
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(WASM_DESCRIPTORS_MAX * sizeof(int))];
	} control;
	struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
	if (p->count) {
		size_t size = p->count * sizeof(int);
		memset(&control, 0, sizeof control);
		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE(size);
		control.head =
		        (struct cmsghdr){.cmsg_len = CMSG_LEN(size), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
		memcpy(CMSG_DATA(&control.head), p->fds, size);
	}
	return sendmsg(to, &m, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0 || (errno != EAGAIN && errno != ENOBUFS);
}

static void packet_free(struct packet *p)
{
	list_del(&p->link);
	for (size_t i = 0; i < p->count; i++)
		close(p->fds[i]);
	free(p->fds);
	strbuf_release(&p->bytes);
	free(p);
}

static void is_ready(uv_poll_t *h, int status, int events);

static void send_waiting(struct wasm_link *l)
{
	while (!list_empty(&l->waiting)) {
		struct packet *p = CONTAINER_OF(l->waiting.next, struct packet, link);
		if (!send_now(l->fd, p))
			break;
		packet_free(p);
	}
	uv_poll_start(l->poll, UV_READABLE | (list_empty(&l->waiting) ? 0 : UV_WRITABLE), is_ready);
}

void wasm_link_send(struct wasm_link *l, enum wasm_verb verb, const char *id, int64_t number, struct slice text,
        const int *fds, size_t count)
{
	LOOP_CHECK_OWNER(l->o.loop);
	CHECK(count <= WASM_DESCRIPTORS_MAX);
	struct wasm_frame f = {.verb = verb, .number = number, .text = text};
	if (!l->is_up)
		return;
	struct packet *p = xcalloc(1, sizeof *p);
	snprintf(f.id, sizeof f.id, "%s", id);
	wasm_frame_write(&p->bytes, &f);
	p->fds = xcalloc(count + 1, sizeof *p->fds);
	for (size_t i = 0; i < count; i++) {
		int fd = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
		if (fd >= 0)
			p->fds[p->count++] = fd;
	}
	list_push_back(&l->waiting, &p->link);
	send_waiting(l);
}

/* ---- the connection ---- */

static void poll_freed(uv_handle_t *h)
{
	free(h);
}

static void disconnect(struct wasm_link *l)
{
	if (l->fd < 0)
		return;
	uv_poll_stop(l->poll);
	uv_close((uv_handle_t *)l->poll, poll_freed);
	close(l->fd);
	l->fd = -1;
	l->poll = NULL;
	while (!list_empty(&l->waiting))
		packet_free(CONTAINER_OF(l->waiting.next, struct packet, link));
	if (l->is_up && !l->closed) {
		l->is_up = false;
		l->trouble = "the zygote ended and is started again";
		l->o.on_down(l->o.arg);
	}
	l->is_up = false;
}

static void got_frame(struct wasm_link *l, const struct wasm_frame *f, int fd)
{
	if (f->verb != WASM_HELLO) {
		l->o.on_frame(l->o.arg, f, fd);
		return;
	}
	bool is_new = l->started_one;
	l->is_up = true;
	l->started_one = false;
	retry_succeeded(&l->starts);
	log_info("node", "the zygote of WebAssembly pods answers", "pid=%lld engine=\"WasmEdge %.*s\" started=%d",
	        (long long)f->number, SLICE_FMT(f->text), is_new);
	l->o.on_up(l->o.arg, is_new, f->text);
}

/* False: there is nothing more, or no connection any more. */
static bool read_one(struct wasm_link *l)
{
	char bytes[WASM_FRAME_BYTES_MAX + 1];
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec part = {bytes, sizeof bytes};
	struct msghdr m = {
	        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
	struct wasm_frame f;
	struct err err = ERR_INIT;
	int fd = -1;
	ssize_t n = recvmsg(l->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof fd))
		memcpy(&fd, CMSG_DATA(c), sizeof fd);
	if (n > 0 && wasm_frame_read((struct slice){bytes, (size_t)n}, &f, &err) == 0) {
		got_frame(l, &f, fd);
		return l->fd >= 0;
	}
	if (err.code)
		log_error("node", "the zygote is another version's", "error=\"%s\"", err.msg);
	disconnect(l);
	again(l, CONNECT_MS);
	return false;
}

static void is_ready(uv_poll_t *h, int status, int events)
{
	struct wasm_link *l = h->data;
	if (events & UV_WRITABLE)
		send_waiting(l);
	while (read_one(l))
		;
}

static bool connected(struct wasm_link *l)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	snprintf(a.sun_path, sizeof a.sun_path, "%s", l->socket_path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) != 0) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	l->fd = fd;
	l->poll = xcalloc(1, sizeof *l->poll);
	l->poll->data = l;
	uv_poll_init(loop_uv(l->o.loop), l->poll, fd);
	uv_poll_start(l->poll, UV_READABLE, is_ready);
	return true;
}

/* ---- the process ---- */

static void ended(struct process *p, int status, struct slice output, void *arg)
{
	struct wasm_link *l = arg;
	size_t len = 0;
	char *text = file_read(l->log_file, FAILED_LOG_BYTES, true, &len);
	struct slice last = slice_trim((struct slice){text, text ? len : 0});
	for (struct slice rest = last; rest.len;)
		last = slice_cut(&rest, '\n');
	l->child = NULL;
	l->started_one = false;
	bool due = retry_failed(&l->starts, &start_rule, loop_now_ms(l->o.loop));
	if (!l->is_up && !l->closed) {
		err_set(&l->err, ERR_UNAVAILABLE, "%.*s", SLICE_FMT(last));
		l->trouble = l->err.msg;
		if (due)
			log_error("node", "WebAssembly pods cannot run here",
			        "status=%d log=%s next_start_ms=%u error=\"%.*s\"", status, l->log_file,
			        l->starts.pause_ms, SLICE_FMT(last));
	}
	free(text);
	if (l->fd < 0 && !l->closed)
		again(l, l->starts.pause_ms);
}

#if defined(__aarch64__)
#define LOADER "ld-linux-aarch64.so.1"
#define TRIPLET "aarch64-linux-gnu"
#else
#define LOADER "ld-linux-x86-64.so.2"
#define TRIPLET "x86_64-linux-gnu"
#endif

static int start_zygote(struct wasm_link *l, struct err *err)
{
	struct arena a = ARENA_INIT;
	char self[1024];
	const char *argv[12], *loader = NULL;
	size_t n = 0;
	ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
	self[len < 0 ? 0 : len] = 0;
	if (l->o.root) {
		loader = arena_printf(&a, "%s/usr/lib/" TRIPLET "/" LOADER, l->o.root);
		if (access(loader, X_OK) != 0) {
			err_set(err, ERR_NOT_FOUND,
			        "--wasm-root %s holds no loader (%s): tools/install/wasm_root.sh makes such a folder",
			        l->o.root, loader);
			arena_release(&a);
			return err->code;
		}
		argv[n++] = loader;
		argv[n++] = "--library-path";
		argv[n++] = arena_printf(&a, "%s/usr/lib/" TRIPLET ":%s/lib/" TRIPLET, l->o.root, l->o.root);
	}
	/* The file may have been replaced meanwhile: the zygote is of this version all the same. */
	argv[n++] = strstr(self, " (deleted)") ? "/proc/self/exe" : self;
	const char *const rest[] = {"wasm-zygote", "--state", l->o.state, "--logs", l->o.logs, NULL};
	memcpy(argv + n, rest, sizeof rest);
	struct process_options o = {
	        .loop = l->o.loop, .argv = argv, .output_file = l->log_file, .on_exit = ended, .arg = l};
	process_start(&o, &l->child, err);
	arena_release(&a);
	return err->code;
}

static void try_now(uv_timer_t *t)
{
	struct wasm_link *l = t->data;
	struct err err = ERR_INIT;
	if (l->closed || l->fd >= 0 || connected(l))
		return;
	if (l->child) {
		again(l, CONNECT_MS);
		return;
	}
	if (start_zygote(l, &err) == 0) {
		l->started_one = true;
		again(l, CONNECT_MS);
		return;
	}
	l->err = err;
	l->trouble = l->err.msg;
	if (retry_failed(&l->starts, &start_rule, loop_now_ms(l->o.loop)))
		log_error("node", "WebAssembly pods cannot run here", "error=\"%s\"", err.msg);
	again(l, l->starts.pause_ms);
}

/* ---- life ---- */

struct wasm_link *wasm_link_new(const struct wasm_link_options *o)
{
	LOOP_CHECK_OWNER(o->loop);
	struct wasm_link *l = xcalloc(1, sizeof *l);
	l->o = *o;
	l->fd = -1;
	l->trouble = "the zygote is starting";
	l->socket_path = arena_printf(&l->arena, "%s/zygote.sock", o->state);
	l->log_file = arena_printf(&l->arena, "%s/zygote.log", o->state);
	list_init(&l->waiting);
	uv_timer_init(loop_uv(o->loop), &l->timer);
	l->timer.data = l;
	again(l, 0);
	return l;
}

bool wasm_link_is_up(const struct wasm_link *l)
{
	return l->is_up;
}

const char *wasm_link_trouble(const struct wasm_link *l)
{
	return l->trouble;
}

static void freed(uv_handle_t *h)
{
	struct wasm_link *l = h->data;
	l->closed(l->closed_arg);
	arena_release(&l->arena);
	free(l);
}

void wasm_link_close(struct wasm_link *l, void (*closed)(void *arg), void *arg)
{
	LOOP_CHECK_OWNER(l->o.loop);
	l->closed = closed;
	l->closed_arg = arg;
	if (l->child)
		process_forget(TAKE(l->child));
	disconnect(l);
	uv_close((uv_handle_t *)&l->timer, freed);
}
