/* The zygote: one thread, one engine, and a fork per container.
 *
 *     start: load the engine --> a mount namespace with little in it --> look for what an earlier zygote left -->
 * listen turn:  the node asks (frame.h), a container writes, something ended end:   no node is connected, no child is
 * there, no box is held
 *
 * It is forked from by a single thread, so that a child may do whatever it likes; nothing that starts threads may be
 * called here. The node may go and come back, also as a newer version: it is then told nothing, but reads the traces
 * that containers leave (traces.h). One node at a time; a new connection takes the place of the old one.
 *
 * What can go wrong: the engine is not there (told, exit 1); out of descriptors or memory for one more container (that
 * start fails, with the reason); it crashes or is killed (containers go on, see zygote_child.c). */
#include "node/wasm/zygote/zygote.h"

#include "base/check.h"
#include "base/file/file_dirs.h"
#include "base/limits.h"
#include "node/ground/files.h"
#include "node/wasm/protocol/traces.h"
#include "node/wasm/zygote/zygote_int.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* A sandbox's network. */
struct box {
	struct slice id;
	int fd;
};

/* A packet for later. */
struct packet {
	struct list_link link;
	int fd;
	struct strbuf bytes;
};

/* ---- sources ---- */

void zygote_watch(struct zygote *z, struct source *s, int fd, void (*ready)(struct source *s))
{
	CHECK(fd >= 0);
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = s};
	s->ready = ready;
	s->fd = fd;
	s->z = z;
	CHECK(epoll_ctl(z->epoll, EPOLL_CTL_ADD, fd, &e) == 0);
}

void zygote_unwatch(struct source *s)
{
	if (s->fd < 0)
		return;
	epoll_ctl(s->z->epoll, EPOLL_CTL_DEL, s->fd, NULL);
	close(s->fd);
	s->fd = -1;
}

/* ---- to the node ---- */

static bool send_now(int to, struct slice bytes, int fd)
{
	struct iovec part = {(void *)bytes.ptr, bytes.len};
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
	if (fd >= 0) {
		m.msg_control = &control;
		m.msg_controllen = sizeof control.space;
		control.head = (struct cmsghdr){
		        .cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
		memcpy(CMSG_DATA(&control.head), &fd, sizeof fd);
	}
	/* Whoever is gone does not want it: all but "later" counts as sent. */
	return sendmsg(to, &m, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0 || (errno != EAGAIN && errno != ENOBUFS);
}

static void watch_node(struct zygote *z)
{
	struct epoll_event e = {.events = EPOLLIN | (list_empty(&z->waiting) ? 0 : EPOLLOUT), .data.ptr = &z->node};
	if (z->node.fd >= 0)
		epoll_ctl(z->epoll, EPOLL_CTL_MOD, z->node.fd, &e);
}

static void packet_free(struct packet *p)
{
	list_del(&p->link);
	strbuf_release(&p->bytes);
	if (p->fd >= 0)
		close(p->fd);
	free(p);
}

static void send_waiting(struct zygote *z)
{
	while (!list_empty(&z->waiting)) {
		struct packet *p = CONTAINER_OF(z->waiting.next, struct packet, link);
		if (!send_now(z->node.fd, strbuf_slice(&p->bytes), p->fd))
			break;
		packet_free(p);
	}
	watch_node(z);
}

void zygote_tell(struct zygote *z, enum wasm_verb verb, const char *id, int64_t number, struct slice text, int fd)
{
	struct wasm_frame f = {.verb = verb, .number = number, .text = text};
	struct packet *p;
	if (z->node.fd < 0)
		return;
	p = xcalloc(1, sizeof *p);
	snprintf(f.id, sizeof f.id, "%s", id);
	wasm_frame_write(&p->bytes, &f);
	p->fd = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;
	list_push_back(&z->waiting, &p->link);
	send_waiting(z);
}

static void forget_node(struct zygote *z)
{
	zygote_unwatch(&z->node);
	while (!list_empty(&z->waiting))
		packet_free(CONTAINER_OF(z->waiting.next, struct packet, link));
}

/* ---- boxes ---- */

static void raise_loopback(void)
{
	struct ifreq r = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s >= 0 && ioctl(s, SIOCSIFFLAGS, &r) != 0)
		fprintf(stderr, "cannot raise a loopback: %s\n", strerror(errno));
	if (s >= 0)
		close(s);
}

static void set_switch(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && write(fd, value, strlen(value)) < 0)
		fprintf(stderr, "cannot set %s: %s\n", path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

/* The network of a process that an earlier zygote started there, or a new one. */
static int open_network(struct zygote *z, const char *id, struct err *err)
{
	pid_t pid = child_in_box(z, id);
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/ns/net", pid);
	int fd = pid ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd >= 0)
		return fd;
	if (unshare(CLONE_NEWNET) != 0) {
		err_errno(err, errno, "make a network namespace");
		return -1;
	}
	raise_loopback();
	/* As containerd has it for pods: every user may listen on every port. No IPv6: pods have no address of it. */
	set_switch("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
	set_switch("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
	fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		err_errno(err, errno, "open a network namespace");
	CHECK(setns(z->own_network, CLONE_NEWNET) == 0);
	return fd;
}

static void make_box(struct zygote *z, const char *id)
{
	struct box *b = map_get(&z->boxes, slice_of(id));
	struct err err = ERR_INIT;
	if (!b) {
		int fd = open_network(z, id, &err);
		if (fd < 0) {
			zygote_tell(z, WASM_FAILED, id, 0, slice_of(err.msg), -1);
			return;
		}
		b = MAP_ENTRY_NEW(struct box, id, slice_of(id));
		b->fd = fd;
		map_put(&z->boxes, b->id, b);
	}
	zygote_tell(z, WASM_BOXED, id, 0, SLICE_NULL, b->fd);
}

static void drop_box(struct zygote *z, const char *id)
{
	struct box *b = map_del(&z->boxes, slice_of(id));
	if (!b)
		return;
	close(b->fd);
	free(b);
}

/* ---- from the node ---- */

static void obey(struct zygote *z, const struct wasm_frame *f, const int *fds, size_t count)
{
	switch (f->verb) {
	case WASM_START:
		child_start(z, f, fds, count);
		break;
	case WASM_COMPILE:
		child_compile(z, f->id);
		break;
	case WASM_SIGNAL:
		child_signal(z, f->id, (int)f->number);
		break;
	case WASM_REOPEN:
		child_reopen_log(z, f->id);
		break;
	case WASM_BOX:
		make_box(z, f->id);
		break;
	case WASM_UNBOX:
		drop_box(z, f->id);
		break;
	default:
		fprintf(stderr, "the node sent %s, which is no request\n", wasm_verb_name(f->verb));
	}
}

static size_t take_descriptors(struct msghdr *m, int *fds)
{
	size_t count = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
			size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
			memcpy(fds + count, CMSG_DATA(c), n * sizeof(int));
			count += n;
		}
	return count;
}

static void node_speaks(struct source *s)
{
	static char bytes[WASM_FRAME_BYTES_MAX + 1];
	struct zygote *z = s->z;
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(WASM_DESCRIPTORS_MAX * sizeof(int))];
	} control;
	struct iovec part = {bytes, sizeof bytes};
	struct msghdr m = {
	        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
	int fds[WASM_DESCRIPTORS_MAX + 2];
	struct wasm_frame f;
	struct err err = ERR_INIT;
	send_waiting(z);
	ssize_t n = recvmsg(s->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	size_t count = n > 0 ? take_descriptors(&m, fds) : 0;
	if (n > 0 && wasm_frame_read((struct slice){bytes, (size_t)n}, &f, &err) == 0)
		obey(z, &f, fds, count);
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
	if (n <= 0 || err.code) {
		if (err.code)
			fprintf(stderr, "the node is dropped: %s\n", err.msg);
		forget_node(z);
	}
}

static void node_comes(struct source *s)
{
	struct zygote *z = s->z;
	int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return;
	forget_node(z);
	zygote_watch(z, &z->node, fd, node_speaks);
	zygote_tell(z, WASM_HELLO, "zygote", getpid(), slice_of(wasm_engine_version(z->engine)), -1);
}

static void signaled(struct source *s)
{
	struct signalfd_siginfo info;
	while (read(s->fd, &info, sizeof info) > 0)
		;
	children_reap(s->z);
}

/* ---- life ---- */

static int listen_at(struct zygote *z, struct err *err)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0),
	    n = snprintf(a.sun_path, sizeof a.sun_path, "%s/zygote.sock", z->o.state);
	if (n >= (int)sizeof a.sun_path)
		return err_set(err, ERR_INVAL,
		        "%s/zygote.sock is longer than a socket's path may be: use a shorter --data-dir", z->o.state);
	unlink(a.sun_path);
	mode_t before = umask(0177);
	int rc = fd < 0 ? -1 : bind(fd, (struct sockaddr *)&a, sizeof a);
	umask(before);
	if (rc != 0 || listen(fd, 4) != 0)
		return err_errno(err, errno, "listen at %s", a.sun_path);
	zygote_watch(z, &z->listener, fd, node_comes);
	return 0;
}

static void raise_limits(void)
{
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max = files.rlim_max < 1u << 20 ? 1u << 20 : files.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &files) != 0 && getrlimit(RLIMIT_NOFILE, &files) == 0) {
			files.rlim_cur = files.rlim_max;
			setrlimit(RLIMIT_NOFILE, &files);
		}
	}
}

static int open_all(struct zygote *z, struct err *err)
{
	sigset_t set;
	char path[600];
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_NAME, "k3x-zygote");
	raise_limits();
	snprintf(path, sizeof path, "%s/containers", z->o.state);
	if (file_make_dirs(path, 0700, err) != 0)
		return err->code;
	z->epoll = epoll_create1(EPOLL_CLOEXEC);
	z->own_network = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (z->epoll < 0 || z->own_network < 0 || fd < 0)
		return err_errno(err, errno, "open what the zygote needs");
	zygote_watch(z, &z->signals, fd, signaled);
	if (zygote_make_root(&z->o, err) != 0)
		return err->code;
	children_adopt(z);
	return listen_at(z, err);
}

static bool is_needed(const struct zygote *z)
{
	return z->node.fd >= 0 || z->children.count || z->boxes.count;
}

int wasm_zygote_run(const struct wasm_zygote_options *options, struct err *err)
{
	struct zygote z = {.o = *options, .listener.fd = -1, .node.fd = -1, .signals.fd = -1};
	struct epoll_event event;
	bool was_needed = false;
	list_init(&z.waiting);
	map_init(&z.children);
	map_init(&z.pids);
	map_init(&z.boxes);
	if (wasm_engine_open(&z.engine, err) != 0 || open_all(&z, err) != 0)
		return err->code;
	while (!was_needed || is_needed(&z)) {
		/* One at a time: what one does may free the source of the next. */
		if (epoll_wait(z.epoll, &event, 1, -1) == 1)
			((struct source *)event.data.ptr)->ready(event.data.ptr);
		was_needed |= is_needed(&z);
	}
	return 0;
}
