/* See logind_int.h. The happy path, over the system bus:
 *
 *     OFF -> AUTH -> HELLO -> DELAY (how long may a lock delay?) -> MATCH (tell us of PrepareForShutdown)
 *         -> LOCK (Inhibit: a descriptor comes) -> READY
 *     DELAY -> RELOAD -> DELAY       when it is less than we need: a file in logind.conf.d says more, logind is told
 *     READY --(PrepareForShutdown true)--> on_end(true) ... logind_release() closes the descriptor
 *     READY --(PrepareForShutdown false)--> on_end(false) -> LOCK
 *
 * What can go wrong: there is no bus (a container, another init): it is told once and looked for again every minute;
 * an answer is an error, or garbage, or does not come in half a minute: the connection is closed and made anew; logind
 * keeps a shorter delay than was asked for: it is told, and the last pods may be cut off. Without a connection the lock
 * is gone too, for it belongs to the descriptor, not to the connection: it stays until we close it. */
#include "node/shutdown/logind_int.h"

#include "base/check.h"
#include "base/file/file_dirs.h"
#include "base/log.h"
#include "base/mem/arena.h"
#include "base/rt/sm.h"
#include "node/ground/files.h"
#include "node/ground/retry.h"
#include "node/shutdown/dbus_message_int.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BUS_DEFAULT "/run/dbus/system_bus_socket"
#define CONF_DIR "/etc/systemd/logind.conf.d"
#define LOGIN "org.freedesktop.login1"
#define LOGIN_PATH "/org/freedesktop/login1"
#define MANAGER LOGIN ".Manager"

enum { ANSWER_MS = 30000, READ_BYTES = 16384, FDS_MAX = 8 };

static const struct retry_rule connect_rule = {5000, 60000};

enum state {
	LOGIND_OFF,
	LOGIND_AUTH,
	LOGIND_HELLO,
	LOGIND_DELAY,
	LOGIND_RELOAD,
	LOGIND_MATCH,
	LOGIND_LOCK,
	LOGIND_READY
};

static const struct sm_state states[] = {
        [LOGIND_OFF] = {"off", SM_TO(LOGIND_AUTH)},
        [LOGIND_AUTH] = {"auth", SM_TO(LOGIND_HELLO) | SM_TO(LOGIND_OFF)},
        [LOGIND_HELLO] = {"hello", SM_TO(LOGIND_DELAY) | SM_TO(LOGIND_OFF)},
        [LOGIND_DELAY] = {"delay", SM_TO(LOGIND_RELOAD) | SM_TO(LOGIND_MATCH) | SM_TO(LOGIND_OFF)},
        [LOGIND_RELOAD] = {"reload", SM_TO(LOGIND_DELAY) | SM_TO(LOGIND_OFF)},
        [LOGIND_MATCH] = {"match", SM_TO(LOGIND_LOCK) | SM_TO(LOGIND_OFF)},
        [LOGIND_LOCK] = {"lock", SM_TO(LOGIND_READY) | SM_TO(LOGIND_OFF)},
        [LOGIND_READY] = {"ready", SM_TO(LOGIND_LOCK) | SM_TO(LOGIND_OFF)},
};
static bool holds(const struct sm *m, int before);
static const struct sm_kind machine = SM_KIND("logind", states, holds);

struct logind {
	struct logind_options o;
	struct sm sm; /* enum state */
	int fd;       /* of the bus; -1: none */
	int lock_fd;  /* -1: the machine does not wait for us */
	uv_poll_t *poll;
	uv_timer_t timer; /* for an answer, or until the next try */
	struct strbuf in, out;
	uint32_t serial; /* of the last call, whose answer is waited for */
	int fds[FDS_MAX];
	unsigned fds_count;
	bool has_reloaded;
	struct retry connects;
	void (*closed)(void *arg);
	void *closed_arg;
};

static bool holds(const struct sm *m, int before)
{
	const struct logind *l = CONTAINER_OF(m, struct logind, sm);
	return (sm_state(m) == LOGIND_OFF) == (l->fd < 0);
}

static void connect_now(uv_timer_t *t);

/* ---- the connection's end ---- */

static void drop_fds(struct logind *l)
{
	while (l->fds_count)
		close(l->fds[--l->fds_count]);
}

static void poll_closed(uv_handle_t *h)
{
	free(h);
}

static void disconnect(struct logind *l)
{
	if (l->poll) {
		uv_poll_stop(l->poll);
		uv_close((uv_handle_t *)TAKE(l->poll), poll_closed);
	}
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
	drop_fds(l);
	strbuf_reset(&l->in);
	strbuf_reset(&l->out);
}

static void fail(struct logind *l, const char *why)
{
	uint64_t now = loop_now_ms(l->o.loop);
	if (retry_failed(&l->connects, &connect_rule, now))
		log_warn("node", "logind cannot be told to wait for pods when the machine goes down",
		        "state=%s error=\"%s\"", sm_state_name(&l->sm), why);
	disconnect(l);
	if (sm_state(&l->sm) != LOGIND_OFF)
		sm_move(&l->sm, LOGIND_OFF);
	uv_timer_start(&l->timer, connect_now, retry_wait_ms(&l->connects, now), 0);
}

static void no_answer(uv_timer_t *t)
{
	fail(t->data, "there is no answer");
}

/* ---- writing ---- */

static void writable(struct logind *l);
static void ready(uv_poll_t *h, int status, int events);

static void watch(struct logind *l)
{
	uv_poll_start(l->poll, UV_READABLE | (l->out.len ? UV_WRITABLE : 0), ready);
}

static void send_out(struct logind *l)
{
	uv_timer_start(&l->timer, no_answer, ANSWER_MS, 0);
	watch(l);
}

static void writable(struct logind *l)
{
	ssize_t n = l->out.len ? send(l->fd, l->out.data, l->out.len, MSG_NOSIGNAL) : 0;
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		fail(l, strerror(errno));
		return;
	}
	if (n > 0) {
		memmove(l->out.data, l->out.data + n, l->out.len - (size_t)n);
		l->out.len -= (size_t)n;
	}
	watch(l);
}

#define CALL(l, destination, path, interface, member, ...) \
	do { \
		dbus_call_write(&(l)->out, ++(l)->serial, destination, path, interface, member, __VA_ARGS__); \
		send_out(l); \
	} while (0)

static void ask_delay(struct logind *l)
{
	sm_move(&l->sm, LOGIND_DELAY);
	CALL(l, LOGIN, LOGIN_PATH, "org.freedesktop.DBus.Properties", "Get", "ss", MANAGER, "InhibitDelayMaxUSec");
}

static void ask_lock(struct logind *l)
{
	sm_move(&l->sm, LOGIND_LOCK);
	CALL(l, LOGIN, LOGIN_PATH, MANAGER, "Inhibit", "ssss", "shutdown", "k3x",
	        "k3x needs time to end the pods of this node", "delay");
}

static void ask_match(struct logind *l)
{
	sm_move(&l->sm, LOGIND_MATCH);
	CALL(l, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "AddMatch", "s",
	        "type='signal',sender='" LOGIN "',path='" LOGIN_PATH "',interface='" MANAGER
	        "',member='PrepareForShutdown'");
}

/* ---- the delay ---- */

/* As upstream's kubelet does it. */
static void raise_delay(struct logind *l)
{
	struct err err = ERR_INIT;
	struct strbuf b = STRBUF_INIT;
	strbuf_addf(&b,
	        "# Written by k3x: so long pods may take to end (shutdownGracePeriod).\n[Login]\n"
	        "InhibitDelayMaxSec=%lld\n",
	        (long long)l->o.delay_s);
	l->has_reloaded = true;
	int rc = file_make_dirs(CONF_DIR, 0755, &err);
	if (rc == 0)
		rc = file_write(CONF_DIR "/99-k3x.conf", strbuf_slice(&b), 0644, &err);
	strbuf_release(&b);
	if (rc != 0) {
		log_warn("node", "logind cannot be told to wait longer", "error=\"%s\"", err.msg);
		ask_match(l);
		return;
	}
	sm_move(&l->sm, LOGIND_RELOAD);
	CALL(l, "org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", "KillUnit",
	        "ssi", "systemd-logind.service", "all", SIGHUP);
}

static void delay_told(struct logind *l, const struct dbus_message *m)
{
	uint64_t us;
	if (!dbus_message_number(m, 0, &us)) {
		fail(l, "InhibitDelayMaxUSec is no number");
	} else if (us / 1000000 >= (uint64_t)l->o.delay_s) {
		ask_match(l);
	} else if (!l->has_reloaded) {
		raise_delay(l);
	} else {
		log_warn("node", "logind waits for a shorter time than pods may take to end",
		        "waits_s=%llu wanted_s=%lld mend=\"set InhibitDelayMaxSec in /etc/systemd/logind.conf\"",
		        (unsigned long long)(us / 1000000), (long long)l->o.delay_s);
		ask_match(l);
	}
}

/* ---- what comes ---- */

static void lock_came(struct logind *l)
{
	if (!l->fds_count) {
		fail(l, "no descriptor came with the lock");
		return;
	}
	if (l->lock_fd >= 0)
		close(l->lock_fd);
	l->lock_fd = l->fds[--l->fds_count];
	uv_timer_stop(&l->timer);
	retry_succeeded(&l->connects);
	sm_move(&l->sm, LOGIND_READY);
	log_info("node", "the machine waits for pods when it goes down", "delay_s=%lld", (long long)l->o.delay_s);
}

static void answered(struct logind *l, const struct dbus_message *m)
{
	switch ((enum state)sm_state(&l->sm)) {
	case LOGIND_HELLO:
	case LOGIND_RELOAD:
		ask_delay(l);
		break;
	case LOGIND_DELAY:
		delay_told(l, m);
		break;
	case LOGIND_MATCH:
		ask_lock(l);
		break;
	case LOGIND_LOCK:
		lock_came(l);
		break;
	default:
		break;
	}
}

static void refused(struct logind *l, const struct dbus_message *m)
{
	char why[300];
	struct slice text = SLICE_NULL;
	dbus_message_text(m, 0, &text);
	if (sm_state(&l->sm) == LOGIND_RELOAD) { /* a bus without systemd: the shorter delay stays */
		ask_delay(l);
		return;
	}
	snprintf(why, sizeof why, "%.*s: %.*s", SLICE_FMT(m->error), SLICE_FMT(text));
	fail(l, why);
}

static void heard(struct logind *l, const struct dbus_message *m)
{
	uint64_t is_coming;
	if (!slice_is(m->interface, MANAGER) || !slice_is(m->member, "PrepareForShutdown") ||
	        !dbus_message_number(m, 0, &is_coming))
		return;
	l->o.on_end(l->o.arg, is_coming);
	if (!is_coming && sm_state(&l->sm) == LOGIND_READY && l->lock_fd < 0)
		ask_lock(l);
}

static void take_message(struct logind *l, const struct dbus_message *m)
{
	if (m->type == DBUS_SIGNAL)
		heard(l, m);
	else if (m->reply_serial != l->serial || sm_state(&l->sm) == LOGIND_READY)
		return;
	else if (m->type == DBUS_RETURN)
		answered(l, m);
	else if (m->type == DBUS_ERROR)
		refused(l, m);
}

static void take_messages(struct logind *l)
{
	size_t at = 0;
	while (l->fd >= 0) {
		struct dbus_message m;
		int64_t n = dbus_message_read((struct slice){l->in.data + at, l->in.len - at}, &m);
		if (n < 0)
			fail(l, "the bus sent what is no message");
		if (n <= 0)
			break;
		at += (size_t)n;
		take_message(l, &m);
	}
	if (l->fd < 0)
		return; /* the buffer is empty already */
	memmove(l->in.data, l->in.data + at, l->in.len - at);
	l->in.len -= at;
}

/* "OK guid" to our name, "AGREE_UNIX_FD" to our wish for descriptors; then messages begin. */
static void take_auth(struct logind *l)
{
	struct slice rest = strbuf_slice(&l->in);
	const char *end = memmem(rest.ptr, rest.len, "\r\n", 2);
	if (!end)
		return;
	if (slice_starts(rest, "OK ")) {
		strbuf_adds(&l->out, "NEGOTIATE_UNIX_FD\r\n");
		send_out(l);
	} else if (slice_starts(rest, "AGREE_UNIX_FD")) {
		strbuf_adds(&l->out, "BEGIN\r\n");
		sm_move(&l->sm, LOGIND_HELLO);
		CALL(l, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello", "");
	} else {
		fail(l, "the bus does not take us, or passes no descriptors");
		return;
	}
	size_t used = (size_t)(end - rest.ptr) + 2;
	memmove(l->in.data, l->in.data + used, l->in.len - used);
	l->in.len -= used;
}

static void keep_fds(struct logind *l, struct msghdr *h)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		size_t count = c->cmsg_type == SCM_RIGHTS ? (c->cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0;
		for (size_t i = 0; i < count; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
			if (l->fds_count < FDS_MAX)
				l->fds[l->fds_count++] = fd;
			else
				close(fd);
		}
	}
}

static void readable(struct logind *l)
{
	char data[READ_BYTES], control[CMSG_SPACE(FDS_MAX * sizeof(int))];
	struct iovec iov = {data, sizeof data};
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
	ssize_t n = recvmsg(l->fd, &h, MSG_CMSG_CLOEXEC);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		fail(l, n < 0 ? strerror(errno) : "the bus has closed the connection");
		return;
	}
	keep_fds(l, &h);
	strbuf_add(&l->in, data, (size_t)n);
	if (sm_state(&l->sm) == LOGIND_AUTH)
		take_auth(l);
	else
		take_messages(l);
}

static void ready(uv_poll_t *h, int status, int events)
{
	struct logind *l = h->data;
	if (status != 0)
		fail(l, uv_strerror(status));
	else if (events & UV_READABLE)
		readable(l);
	if (l->fd >= 0 && l->poll == h && (events & UV_WRITABLE))
		writable(l);
}

/* ---- the beginning ---- */

static const char *bus_path(void)
{
	const char *told = getenv("DBUS_SYSTEM_BUS_ADDRESS");
	return told && strncmp(told, "unix:path=", 10) == 0 ? told + 10 : BUS_DEFAULT;
}

/* The name is our user id, in hexadecimal digits of its decimal ones. */
static void say_who(struct logind *l)
{
	char uid[16];
	snprintf(uid, sizeof uid, "%u", (unsigned)getuid());
	strbuf_addc(&l->out, 0);
	strbuf_adds(&l->out, "AUTH EXTERNAL ");
	for (const char *c = uid; *c; c++)
		strbuf_addf(&l->out, "%02x", (unsigned)*c);
	strbuf_adds(&l->out, "\r\n");
	send_out(l);
}

static void connect_now(uv_timer_t *t)
{
	struct logind *l = t->data;
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	CHECK(l->fd < 0);
	snprintf(a.sun_path, sizeof a.sun_path, "%.*s", (int)strcspn(bus_path(), ",;"), bus_path());
	l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->fd < 0 || connect(l->fd, (struct sockaddr *)&a, sizeof a) != 0) {
		char why[200];
		snprintf(why, sizeof why, "%.100s: %s", a.sun_path, strerror(errno));
		fail(l, why);
		return;
	}
	l->poll = xcalloc(1, sizeof *l->poll);
	uv_poll_init(loop_uv(l->o.loop), l->poll, l->fd);
	l->poll->data = l;
	sm_move(&l->sm, LOGIND_AUTH);
	say_who(l);
}

struct logind *logind_new(const struct logind_options *o)
{
	LOOP_CHECK_OWNER(o->loop);
	CHECK(o->on_end && o->delay_s > 0);
	struct logind *l = xcalloc(1, sizeof *l);
	l->o = *o;
	l->fd = l->lock_fd = -1;
	sm_init(&l->sm, &machine, LOGIND_OFF, "");
	uv_timer_init(loop_uv(o->loop), &l->timer);
	l->timer.data = l;
	uv_timer_start(&l->timer, connect_now, 0, 0);
	return l;
}

void logind_release(struct logind *l)
{
	LOOP_CHECK_OWNER(l->o.loop);
	if (l->lock_fd >= 0)
		close(l->lock_fd);
	l->lock_fd = -1;
}

static void timer_closed(uv_handle_t *h)
{
	struct logind *l = h->data;
	void (*closed)(void *) = l->closed;
	void *arg = l->closed_arg;
	strbuf_release(&l->in);
	strbuf_release(&l->out);
	free(l);
	closed(arg);
}

void logind_close(struct logind *l, void (*closed)(void *arg), void *arg)
{
	LOOP_CHECK_OWNER(l->o.loop);
	l->closed = closed;
	l->closed_arg = arg;
	disconnect(l);
	logind_release(l);
	uv_close((uv_handle_t *)&l->timer, timer_closed);
}
