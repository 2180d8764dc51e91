/* WireGuard by the program wireguard-go, where the kernel has none: see writer.h.
 *
 *     its socket takes a connection ----------------------------------> it is there: a connection to it is kept
 *     else start it, and try the socket every 50 ms until it does ----> `changed`
 *     the connection that is kept ends: so has the program, and with it the device ----> `changed`, and it begins anew
 *
 * It is never stopped by us, for pods run on; one of an earlier run is found by its socket and goes on. Its own log is
 * a file. A question has a connection of its own, and seconds to be answered in.
 *
 * What can go wrong: it can't be started, or ends at once (no /dev/net/tun, say): that is an error, and it is started
 * again when the caller next asks for the device, no sooner than PAUSE_MS later. The port is somebody else's: the
 * program would say so in its log alone, so it is tried before. */
#include "net/fabric/wireguard/writer.h"

#include "base/check.h"
#include "base/log.h"
#include "base/mem/arena.h"
#include "base/pki/pki.h"
#include "base/proc/process.h"
#include "base/rt/closing.h"
#include "net/fabric/wireguard/uapi.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PROGRAM "wireguard-go"
#define SOCKET_FOLDER "/var/run/wireguard"

enum { LOOK_MS = 50, START_MS_MAX = 10000, PAUSE_MS = 3000, ANSWER_S = 3 };
enum { ANSWER_BYTES_STEP = 64 * 1024, ANSWER_BYTES_MAX = 64 * 1024 * 1024 };

/* A connection that says when the other side ends. */
struct lifeline {
	struct program *program; /* NULL: nobody waits for it any more */
	uv_poll_t poll;
	int fd;
};

struct program {
	struct wireguard_writer w;
	struct wireguard_writer_options o;
	struct arena arena; /* of the options */
	struct sockaddr_un address;
	struct lifeline *life; /* NULL: not there */
	struct process *child; /* NULL: none of ours */
	uint64_t started_ms;   /* the last time */
	uv_timer_t look;       /* while it starts, and a moment after its end */
	char failure[128];     /* of the last start; "": none */
	struct closing closing;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* ---- its socket ---- */

static int connect_to(const struct program *p, struct err *err)
{
	struct timeval limit = {.tv_sec = ANSWER_S};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_errno(err, errno, "open a socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	if (connect(fd, (const struct sockaddr *)&p->address, sizeof p->address) != 0) {
		err_errno(err, errno, "connect to %s", p->address.sun_path);
		close(fd);
		return err->code;
	}
	return fd;
}

static int send_all(int fd, struct slice text, struct err *err)
{
	while (text.len) {
		ssize_t n = send(fd, text.ptr, text.len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, errno, "speak to " PROGRAM);
		text = (struct slice){text.ptr + n, text.len - (size_t)n};
	}
	return 0;
}

static int receive_all(int fd, struct strbuf *answer, struct err *err)
{
	while (!wireguard_uapi_is_whole(strbuf_slice(answer))) {
		strbuf_reserve(answer, ANSWER_BYTES_STEP);
		ssize_t n = recv(fd, answer->data + answer->len, ANSWER_BYTES_STEP, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, errno, "hear " PROGRAM);
		if (n == 0)
			return err_set(err, ERR_CLOSED, PROGRAM " has ended while it was asked");
		answer->len += (size_t)n;
		answer->data[answer->len] = 0;
		if (answer->len > ANSWER_BYTES_MAX)
			return err_set(err, ERR_TOO_BIG, PROGRAM " answers more than %d bytes", ANSWER_BYTES_MAX);
	}
	return 0;
}

static int ask(const struct program *p, struct slice question, struct wireguard_device *ret, struct err *err)
{
	struct strbuf answer = STRBUF_INIT;
	int fd = connect_to(p, err), rc = fd < 0 ? fd : send_all(fd, question, err);
	if (rc == 0)
		rc = receive_all(fd, &answer, err);
	if (fd >= 0)
		close(fd);
	if (rc == 0)
		rc = wireguard_uapi_read(strbuf_slice(&answer), ret, err);
	strbuf_release(&answer);
	return rc;
}

static int get(struct wireguard_writer *w, struct wireguard_device *ret, struct err *err)
{
	return ask(CONTAINER_OF(w, struct program, w), SLICE(WIREGUARD_UAPI_GET), ret, err);
}

static int set(struct wireguard_writer *w, const struct wireguard_request *r, struct err *err)
{
	struct wireguard_device unused = {0};
	struct strbuf question = STRBUF_INIT;
	wireguard_uapi_write(&question, r);
	int rc = ask(CONTAINER_OF(w, struct program, w), strbuf_slice(&question), &unused, err);
	explicit_bzero(question.data, question.len);
	strbuf_release(&question);
	wireguard_device_release(&unused);
	return rc;
}

/* ---- its life ---- */

static void lifeline_freed(uv_handle_t *h)
{
	struct lifeline *l = h->data;
	struct program *p = l->program;
	close(l->fd);
	free(l);
	if (p)
		closing_part_done(&p->closing);
}

/* waits: the writer closes, and wants to know when. */
static void let_go(struct program *p, bool waits)
{
	struct lifeline *l = p->life;
	p->life = NULL;
	l->program = waits ? p : NULL;
	uv_close((uv_handle_t *)&l->poll, lifeline_freed);
}

static void tell_change(uv_timer_t *t)
{
	struct program *p = t->data;
	p->o.changed(p->o.arg);
}

/* Its socket still takes connections for a moment, which nobody would answer. */
static void life_ended(uv_poll_t *h, int status, int events)
{
	struct lifeline *l = h->data;
	struct program *p = l->program;
	log_warn("fabric", PROGRAM " is gone", "link=%s", p->o.link);
	let_go(p, false);
	uv_timer_start(&p->look, tell_change, LOOK_MS, 0);
}

/* For `k3x killall`, which has to end it. */
static void note_pid(const struct program *p)
{
	struct ucred peer = {0};
	socklen_t len = sizeof peer;
	struct err err = ERR_INIT;
	char text[32];
	getsockopt(p->life->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len);
	int n = snprintf(text, sizeof text, "%d\n", (int)peer.pid);
	if (pki_file_write(p->o.pid_file, (struct slice){text, (size_t)n}, 0644, &err) != 0)
		log_warn("fabric", "cannot write the pid file of " PROGRAM, "error=\"%s\"", err.msg);
	log_info("fabric", p->child ? PROGRAM " started" : PROGRAM " adopted", "link=%s pid=%d", p->o.link,
	        (int)peer.pid);
}

/* True: it is there. */
static bool hold_on(struct program *p)
{
	struct err unused = ERR_INIT;
	int fd = connect_to(p, &unused);
	if (fd < 0)
		return false;
	p->life = xcalloc(1, sizeof *p->life);
	*p->life = (struct lifeline){.program = p, .fd = fd};
	uv_poll_init(loop_uv(p->o.loop), &p->life->poll, fd);
	p->life->poll.data = p->life;
	uv_poll_start(&p->life->poll, UV_READABLE | UV_DISCONNECT, life_ended);
	p->failure[0] = 0;
	note_pid(p);
	return true;
}

static void look(uv_timer_t *t)
{
	struct program *p = t->data;
	if (hold_on(p)) {
		uv_timer_stop(t);
		p->o.changed(p->o.arg);
	} else if (loop_now_ms(p->o.loop) - p->started_ms > START_MS_MAX && p->child)
		process_signal(p->child, SIGKILL); /* its end is noticed, and told */
}

static void ended(struct process *child, int status, struct slice output, void *arg)
{
	struct program *p = arg;
	p->child = NULL;
	uv_timer_stop(&p->look);
	snprintf(p->failure, sizeof p->failure, PROGRAM " ended with status %d", status);
	p->o.changed(p->o.arg);
}

/* IPv6's any address takes IPv4's too. Where there is no IPv6 it can't be tried so. */
static int try_port(uint16_t port, struct err *err)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool is_taken = fd >= 0 && bind(fd, (struct sockaddr *)&any, sizeof any) != 0 && errno == EADDRINUSE;
	if (fd >= 0)
		close(fd);
	return is_taken ? err_set(err, ERR_EXISTS, "UDP port %u is somebody else's, and WireGuard needs it", port) : 0;
}

static int start(struct program *p, struct err *err)
{
	const char *const argv[] = {PROGRAM, "-f", p->o.link, NULL};
	if (if_nametoindex(p->o.link))
		return err_set(err, ERR_EXISTS, "the link %s is not ours, or without its program: remove or rename it",
		        p->o.link);
	if (try_port(p->o.port, err) != 0)
		return err->code;
	p->started_ms = loop_now_ms(p->o.loop);
	if (process_start(
	            &(struct process_options){
	                    .loop = p->o.loop, .argv = argv, .output_file = p->o.log_file, .on_exit = ended, .arg = p},
	            &p->child, err) != 0)
		return err->code;
	uv_timer_start(&p->look, look, LOOK_MS, LOOK_MS);
	return 0;
}

static int find_link(struct wireguard_writer *w, int *ret_index, struct err *err)
{
	struct program *p = CONTAINER_OF(w, struct program, w);
	LOOP_CHECK_OWNER(p->o.loop);
	*ret_index = 0;
	if (p->life || hold_on(p)) {
		uv_timer_stop(&p->look);
		*ret_index = (int)if_nametoindex(p->o.link);
		return *ret_index ? 0
		                  : err_set(err, ERR_EXISTS, "%s is of a device in another network: end its " PROGRAM,
		                            p->address.sun_path);
	}
	if (p->child)
		return 0;
	if (p->failure[0] && loop_now_ms(p->o.loop) - p->started_ms < PAUSE_MS)
		return err_set(err, ERR_UNAVAILABLE, "%s: see %s", p->failure, p->o.log_file);
	return start(p, err);
}

/* ---- opening and closing ---- */

static void all_closed(struct closing *c)
{
	struct program *p = CONTAINER_OF(c, struct program, closing);
	void (*closed)(void *) = p->closed;
	void *arg = p->closed_arg;
	arena_release(&p->arena);
	free(p);
	closed(arg);
}

static void timer_closed(uv_handle_t *h)
{
	struct program *p = h->data;
	closing_part_done(&p->closing);
}

static void close_writer(struct wireguard_writer *w, void (*closed)(void *arg), void *arg)
{
	struct program *p = CONTAINER_OF(w, struct program, w);
	p->closed = closed;
	p->closed_arg = arg;
	p->closing.all_closed = all_closed;
	closing_hold(&p->closing);
	uv_close((uv_handle_t *)&p->look, timer_closed);
	if (p->life) {
		closing_hold(&p->closing);
		let_go(p, true);
	}
	if (p->child)
		process_forget(p->child);
}

static struct wireguard_writer *open_writer(const struct wireguard_writer_options *o)
{
	struct program *p = xcalloc(1, sizeof *p);
	p->w.kind = &wireguard_by_program;
	p->o = *o;
	p->o.link = arena_strdup(&p->arena, o->link);
	p->o.pid_file = arena_strdup(&p->arena, o->pid_file);
	p->o.log_file = arena_strdup(&p->arena, o->log_file);
	p->address.sun_family = AF_UNIX;
	snprintf(p->address.sun_path, sizeof p->address.sun_path, SOCKET_FOLDER "/%s.sock", o->link);
	uv_timer_init(loop_uv(o->loop), &p->look);
	p->look.data = p;
	return &p->w;
}

const struct wireguard_writer_kind wireguard_by_program = {PROGRAM, open_writer, find_link, get, set, close_writer};

bool wireguard_program_is_there(void)
{
	const char *path = getenv("PATH");
	struct slice rest = slice_of(path && *path ? path : "/usr/local/bin:/usr/bin:/bin");
	struct arena a = ARENA_INIT;
	bool is_there = false;
	while (rest.len && !is_there) {
		struct slice folder = slice_cut(&rest, ':');
		is_there = folder.len && access(arena_printf(&a, "%.*s/" PROGRAM, SLICE_FMT(folder)), X_OK) == 0;
	}
	arena_release(&a);
	return is_there;
}
