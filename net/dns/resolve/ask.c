/* See ask.h.
 *
 *     udp --answer--> over        udp --cut off, or case changed--> tcp --answer--> over        any --error, timeout-->
 * over
 *
 * What is over is told at once, and freed when the socket's handle, the timer and the connection have closed. */
#include "net/dns/resolve/ask.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/wire/conn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

struct ask {
	struct ask_options o;
	struct sockaddr_storage address;
	char host[64];
	struct dns_name name; /* with its letters of random case */
	uint16_t id;
	int fd;
	uv_poll_t poll;
	uv_timer_t timer;
	struct conn *conn;
	struct strbuf in;
	struct loop_defer failing; /* what failed at once is told later */
	struct err err;
	unsigned handles;
	bool polls, is_over;
};

uint32_t ask_random(void)
{
	uint32_t v = 0;
	CHECK(getrandom(&v, sizeof v, 0) == sizeof v);
	return v;
}

static void random_case(struct dns_name *n)
{
	uint8_t bits[DNS_NAME_BYTES_MAX / 8 + 1];
	CHECK(getrandom(bits, sizeof bits, 0) == sizeof bits);
	for (size_t i = 0; i < n->len; i++)
		if (n->wire[i] >= 'a' && n->wire[i] <= 'z' && bits[i / 8] >> (i % 8) & 1)
			n->wire[i] = (uint8_t)(n->wire[i] - 32);
}

/* ---- the end ---- */

static void handle_gone(struct ask *k)
{
	if (--k->handles)
		return;
	strbuf_release(&k->in);
	free(k);
}

static void poll_closed(uv_handle_t *h)
{
	struct ask *k = h->data;
	close(k->fd);
	handle_gone(k);
}

static void timer_closed(uv_handle_t *h)
{
	handle_gone(h->data);
}

static void conn_closed(struct conn *c, void *arg)
{
	handle_gone(arg);
}

static void close_udp(struct ask *k)
{
	if (!k->polls)
		return;
	k->polls = false;
	uv_close((uv_handle_t *)&k->poll, poll_closed);
}

static void close_all(struct ask *k)
{
	k->is_over = true;
	loop_defer_cancel(&k->failing);
	close_udp(k);
	uv_close((uv_handle_t *)&k->timer, timer_closed);
	if (k->conn)
		conn_close(TAKE(k->conn), 0);
}

static void over(struct ask *k, const struct dns_message *reply, const struct err *err)
{
	if (k->is_over)
		return;
	k->is_over = true;
	k->o.done(k->o.arg, reply, err);
	close_all(k);
}

void ask_cancel(struct ask *k)
{
	if (!k->is_over)
		close_all(k);
}

static void fail_later(struct ask *k)
{
	loop_defer(k->o.loop, &k->failing);
}

static void failing(struct loop_defer *d)
{
	struct ask *k = CONTAINER_OF(d, struct ask, failing);
	over(k, NULL, &k->err);
}

static void timed_out(uv_timer_t *t)
{
	struct ask *k = t->data;
	err_set(&k->err, ERR_TIMEOUT, "no answer from %s in %u ms", k->host, k->o.timeout_ms);
	over(k, NULL, &k->err);
}

/* ---- question and answer ---- */

static size_t write_question(struct ask *k, uint8_t *out)
{
	struct dns_message m = {.id = k->id,
	        .name = k->name,
	        .type = k->o.type,
	        .klass = DNS_CLASS_IN,
	        .flags = (uint16_t)((k->o.wants_recursion ? DNS_FLAG_RD : 0) |
	                            (k->o.checking_disabled ? DNS_FLAG_CD : 0)),
	        .has_edns = true,
	        .is_dnssec_ok = k->o.is_dnssec_ok,
	        .udp_bytes = DNS_UDP_BYTES_MAX};
	return dns_message_write(&m, out, DNS_UDP_BYTES_MIN);
}

enum fit { FIT_NOT, FIT_CASE_CHANGED, FIT };

static enum fit fits(const struct ask *k, const struct dns_message *m)
{
	if (m->id != k->id || !(m->flags & DNS_FLAG_QR) || m->type != k->o.type || m->klass != DNS_CLASS_IN ||
	        !dns_name_eq(m->name.wire, k->name.wire))
		return FIT_NOT;
	return memcmp(m->name.wire, k->name.wire, k->name.len) == 0 ? FIT : FIT_CASE_CHANGED;
}

/* ---- TCP ---- */

static void conn_opened(struct conn *c, const struct err *err, void *arg)
{
	struct ask *k = arg;
	uint8_t out[2 + DNS_UDP_BYTES_MIN];
	if (err) {
		over(k, NULL, err);
		return;
	}
	size_t len = write_question(k, out + 2);
	out[0] = (uint8_t)(len >> 8);
	out[1] = (uint8_t)len;
	conn_write(c, out, len + 2);
}

static void conn_ended(struct conn *c, const struct err *err, void *arg)
{
	struct ask *k = arg;
	err_set(&k->err, ERR_CLOSED, "%s has closed the connection before it answered", k->host);
	over(k, NULL, &k->err);
}

static void conn_read(struct conn *c, const char *data, size_t len, void *arg)
{
	struct ask *k = arg;
	struct arena a = ARENA_INIT;
	struct dns_message m;
	if (k->is_over)
		return;
	strbuf_add(&k->in, data, len);
	const uint8_t *p = (const uint8_t *)k->in.data;
	size_t want = k->in.len < 2 ? 0 : (size_t)(p[0] << 8 | p[1]);
	if (k->in.len < 2 || k->in.len < want + 2)
		return;
	if (dns_message_parse(&a, &m, p + 2, want, &k->err) != 0 || fits(k, &m) == FIT_NOT) {
		err_set(&k->err, ERR_PROTOCOL, "%s has answered what was not asked", k->host);
		over(k, NULL, &k->err);
	} else {
		over(k, &m, NULL);
	}
	arena_release(&a);
}

static void start_tcp(struct ask *k)
{
	static const struct conn_callbacks callbacks = {
	        .on_open = conn_opened, .on_read = conn_read, .on_end = conn_ended, .on_closed = conn_closed};
	const struct conn_connect_options options = {.timeout_ms = k->o.timeout_ms};
	k->handles++;
	k->conn = conn_connect_tcp(k->o.loop, k->host, k->o.port, &options, &callbacks, k);
}

/* ---- UDP ---- */

/* False: this was not it. */
static bool take_datagram(struct ask *k, const uint8_t *data, size_t len)
{
	struct arena a = ARENA_INIT;
	struct dns_message m;
	struct err err = ERR_INIT;
	bool parsed = dns_message_parse(&a, &m, data, len, &err) == 0;
	enum fit fit = parsed ? fits(k, &m) : FIT_NOT;
	if (fit == FIT_CASE_CHANGED)
		*k->o.keeps_case = false;
	if (fit == FIT_CASE_CHANGED || (fit == FIT && m.flags & DNS_FLAG_TC)) {
		close_udp(k);
		start_tcp(k);
	} else if (fit == FIT) {
		over(k, &m, NULL);
	}
	arena_release(&a);
	return fit != FIT_NOT;
}

static void on_readable(uv_poll_t *h, int status, int events)
{
	struct ask *k = h->data;
	uint8_t *buf = (uint8_t *)loop_io_buffer(k->o.loop);
	for (unsigned i = 0; i < 16 && k->polls; i++) {
		ssize_t n = recv(k->fd, buf, LOOP_IO_BUFFER_BYTES, MSG_DONTWAIT);
		if (n >= 0 && take_datagram(k, buf, (size_t)n))
			return;
		if (n >= 0)
			continue;
		if (errno == EAGAIN || errno == EINTR)
			return;
		err_errno(&k->err, errno, "ask %s", k->host); /* refused: nobody listens there */
		over(k, NULL, &k->err);
		return;
	}
}

static socklen_t address_len(const struct sockaddr_storage *s)
{
	return s->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

static void start_udp(struct ask *k)
{
	uint8_t out[DNS_UDP_BYTES_MIN];
	size_t len = write_question(k, out);
	k->fd = socket(k->address.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (k->fd < 0 || connect(k->fd, (struct sockaddr *)&k->address, address_len(&k->address)) != 0 ||
	        send(k->fd, out, len, 0) < 0) {
		err_errno(&k->err, errno, "ask %s", k->host);
		if (k->fd >= 0)
			close(k->fd);
		fail_later(k);
		return;
	}
	CHECK(uv_poll_init(loop_uv(k->o.loop), &k->poll, k->fd) == 0);
	k->poll.data = k;
	k->polls = true;
	k->handles++;
	uv_poll_start(&k->poll, UV_READABLE, on_readable);
}

struct ask *ask_new(const struct ask_options *o)
{
	struct ask *k = xcalloc(1, sizeof *k);
	k->o = *o;
	k->address = *o->address;
	snprintf(k->host, sizeof k->host, "%s", o->host);
	k->name = *o->name;
	k->id = (uint16_t)ask_random();
	if (*o->keeps_case)
		random_case(&k->name);
	loop_defer_init(&k->failing, failing);
	uv_timer_init(loop_uv(o->loop), &k->timer);
	k->timer.data = k;
	k->handles = 1;
	uv_timer_start(&k->timer, timed_out, o->timeout_ms, 0);
	if (o->over_tcp)
		start_tcp(k);
	else
		start_udp(k);
	return k;
}
