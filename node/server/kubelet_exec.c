/* exec, attach and port-forward: WebSocket towards kubectl, SPDY towards the runtime's streaming server.
 *
 *     exchange --> CRI Exec/Attach/PortForward gives a URL --> SPDY session there is open --> WebSocket handshake -->
 * bytes
 *
 * The subprotocols v5.channel.k8s.io and v4.channel.k8s.io put a channel number before each message: 0 stdin, 1 stdout,
 * 2 stderr, 3 the error (a Status with the exit code, written by the runtime), 4 terminal size; v5 adds 255, "this
 * channel has ended", which is how stdin ends. Each channel is one SPDY stream. Port-forward is simpler: kubectl
 * tunnels its own SPDY session through WebSocket messages (subprotocol SPDY/3.1+portforward.k8s.io), so bytes are
 * passed on. So are those of older clients that ask for SPDY right away.
 *
 * Either side that stops reading holds the other back. What can go wrong: the container is not running (400), the
 * runtime refuses (500 with its words), either side goes away (both are closed). */
#include "node/server/kubelet_exec_int.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/rt/sm.h"
#include "base/wire/conn.h"
#include "base/wire/ws.h"
#include "node/ground/node_record.h"
#include "node/ground/pod_map.h"
#include "node/ground/pod_record.h"
#include "node/runtime/cri.h"
#include "node/server/answer_int.h"
#include "node/server/spdy.h"

#include <stdlib.h>

enum { CHANNEL_STDIN, CHANNEL_STDOUT, CHANNEL_STDERR, CHANNEL_ERROR, CHANNEL_RESIZE, CHANNELS, CHANNEL_CLOSE = 255 };
enum { CALL_MS = 30000, LINGER_MS = 2000 };

enum exec_state { EXEC_ASKING, EXEC_DIALING, EXEC_OPEN, EXEC_ENDING };

struct stream {
	struct node *n;
	struct sm sm;            /* enum exec_state */
	struct http_exchange *x; /* until the handshake */
	char *url;
	const char *protocol; /* of the raw passage; NULL: channels */
	struct spdy *spdy;
	struct ws *ws;
	struct conn *near, *far;      /* raw passage; near NULL: through ws */
	unsigned stream_of[CHANNELS]; /* + 1; 0: not asked for */
	unsigned char channel_of[CHANNELS];
	const char *types[CHANNELS];
	unsigned count, ended;
	bool ws_closing, far_closed, near_closed;
};

static bool holds(const struct sm *m, int before)
{
	const struct stream *s = CONTAINER_OF(m, struct stream, sm);
	switch (sm_state(m)) {
	case EXEC_DIALING:
		return s->x && s->url && !s->ws && !s->near;
	case EXEC_OPEN:
		return !s->x && (s->ws || s->near) && (s->spdy || s->far);
	default:
		return true;
	}
}

static const struct sm_state states[] = {
        [EXEC_ASKING] = {"asking", SM_TO(EXEC_DIALING) | SM_TO(EXEC_ENDING)},
        [EXEC_DIALING] = {"dialing", SM_TO(EXEC_OPEN) | SM_TO(EXEC_ENDING)},
        [EXEC_OPEN] = {"open", SM_TO(EXEC_ENDING)},
        [EXEC_ENDING] = {"ending", 0},
};
static const struct sm_kind machine = SM_KIND("exec-stream", states, holds);

/* One side has gone, or never came. */
static void begin_end(struct stream *s)
{
	if (sm_state(&s->sm) != EXEC_ENDING)
		sm_move(&s->sm, EXEC_ENDING);
}

static void stream_free(struct stream *s)
{
	CHECK(!s->ws && !s->spdy && sm_state(&s->sm) == EXEC_ENDING);
	free(s->url);
	free(s);
}

static void maybe_free(struct stream *s)
{
	if (!s->ws && !s->spdy && (!s->far || s->far_closed) && (!s->near || s->near_closed))
		stream_free(s);
}

/* ---- WebSocket side ---- */

static void close_ws(struct stream *s, unsigned code)
{
	begin_end(s);
	if (s->ws && !s->ws_closing) {
		s->ws_closing = true;
		ws_close(s->ws, code, "");
	}
}

static void ws_message(struct ws *w, bool is_text, struct slice data, void *arg)
{
	struct stream *s = arg;
	bool room = true;
	if (s->far) {
		room = s->far_closed || conn_write(s->far, data.ptr, data.len);
	} else if (data.len && s->spdy) {
		unsigned channel = (unsigned char)data.ptr[0];
		struct slice body = {data.ptr + 1, data.len - 1};
		if (channel == CHANNEL_CLOSE && body.len && (unsigned char)body.ptr[0] < CHANNELS &&
		        s->stream_of[(unsigned char)body.ptr[0]])
			room = spdy_send(s->spdy, s->stream_of[(unsigned char)body.ptr[0]] - 1, SLICE_NULL, true);
		else if ((channel == CHANNEL_STDIN || channel == CHANNEL_RESIZE) && s->stream_of[channel] && body.len)
			room = spdy_send(s->spdy, s->stream_of[channel] - 1, body, false);
	}
	if (!room)
		ws_read_pause(w);
}

static void ws_drained(struct ws *w, void *arg)
{
	struct stream *s = arg;
	if (s->spdy)
		spdy_read_resume(s->spdy);
	if (s->far && !s->far_closed)
		conn_read_resume(s->far);
}

static void ws_closed(struct ws *w, unsigned code, struct slice reason, void *arg)
{
	struct stream *s = arg;
	s->ws = NULL;
	begin_end(s);
	if (s->spdy)
		spdy_close(s->spdy);
	if (s->far && !s->far_closed)
		conn_close(s->far, LINGER_MS);
	maybe_free(s);
}

static const struct ws_callbacks ws_callbacks = {
        .on_message = ws_message, .on_drained = ws_drained, .on_closed = ws_closed};

static void refuse(struct stream *s, const struct err *err)
{
	struct http_exchange *x = TAKE(s->x);
	begin_end(s);
	if (x)
		kubelet_answer_err(x, err);
}

static void client_gone(struct http_exchange *x, void *arg)
{
	struct stream *s = arg;
	s->x = NULL;
	begin_end(s);
	if (s->spdy)
		spdy_close(s->spdy);
}

static int shake_hands(struct stream *s, struct err *err)
{
	static const char *const channels[] = {"v5.channel.k8s.io", "v4.channel.k8s.io"};
	static const char *const tunnels[] = {"SPDY/3.1+portforward.k8s.io"};
	struct http_exchange *x = s->x;
	http_on_abort(x, NULL, NULL);
	int rc = ws_accept(x, s->protocol ? tunnels : channels, s->protocol ? 1 : 2, NODE_EXEC_MESSAGE_BYTES_MAX,
	        &ws_callbacks, s, &s->ws, NULL, err);
	if (rc != 0)
		return rc;
	s->x = NULL;
	sm_move(&s->sm, EXEC_OPEN);
	return 0;
}

/* ---- channels ---- */

static void spdy_open(struct spdy *p, void *arg)
{
	struct stream *s = arg;
	struct err err = ERR_INIT;
	if (!s->x || shake_hands(s, &err) == 0)
		return;
	refuse(s, &err);
	spdy_close(p);
}

static void spdy_data(struct spdy *p, unsigned stream, struct slice data, bool is_end, void *arg)
{
	CHECK(stream < ((struct stream *)arg)->count);
	struct stream *s = arg;
	char channel = (char)s->channel_of[stream];
	if (s->ws && data.len && !ws_send_prefixed(s->ws, false, (struct slice){&channel, 1}, data))
		spdy_read_pause(p);
	if (is_end && channel == CHANNEL_ERROR)
		s->ended = true;
}

static void spdy_drained(struct spdy *p, void *arg)
{
	struct stream *s = arg;
	if (s->ws)
		ws_read_resume(s->ws);
}

static void spdy_closed(struct spdy *p, const struct err *err, void *arg)
{
	struct stream *s = arg;
	struct err e = ERR_INIT;
	s->spdy = NULL;
	if (s->x) {
		err_set(&e, ERR_INTERNAL, "the runtime's stream cannot be opened: %s",
		        err ? err->msg : "it was closed");
		refuse(s, &e);
	}
	close_ws(s, WS_CLOSE_NORMAL);
	maybe_free(s);
}

static void add_channel(struct stream *s, unsigned channel, const char *type)
{
	CHECK(channel < CHANNELS && s->count < CHANNELS && !s->stream_of[channel]);
	s->channel_of[s->count] = (unsigned char)channel;
	s->types[s->count] = type;
	s->stream_of[channel] = ++s->count;
}

static void open_channels(struct stream *s)
{
	CHECK(s->x && !s->spdy);
	static const struct spdy_callbacks callbacks = {
	        .on_open = spdy_open, .on_data = spdy_data, .on_drained = spdy_drained, .on_closed = spdy_closed};
	struct http_exchange *x = s->x;
	bool tty = kubelet_flag(x, "tty");
	add_channel(s, CHANNEL_ERROR, "error");
	if (kubelet_flag(x, "input"))
		add_channel(s, CHANNEL_STDIN, "stdin");
	if (kubelet_flag(x, "output"))
		add_channel(s, CHANNEL_STDOUT, "stdout");
	if (kubelet_flag(x, "error") && !tty)
		add_channel(s, CHANNEL_STDERR, "stderr");
	if (tty)
		add_channel(s, CHANNEL_RESIZE, "resize");
	s->spdy = spdy_connect(s->n->loop, s->url, s->types, s->count, &callbacks, s);
}

/* ---- raw passage ---- */

static void raw_read(struct conn *c, const char *data, size_t len, void *arg)
{
	struct stream *s = arg;
	bool room = true;
	if (c == s->far && s->ws)
		room = ws_send(s->ws, false, (struct slice){data, len});
	else if (c == s->far && s->near && !s->near_closed)
		room = conn_write(s->near, data, len);
	else if (c == s->near && !s->far_closed)
		room = conn_write(s->far, data, len);
	if (!room)
		conn_read_pause(c);
}

static void raw_drained(struct conn *c, void *arg)
{
	struct stream *s = arg;
	if (c == s->near)
		conn_read_resume(s->far);
	else if (s->ws)
		ws_read_resume(s->ws);
	else if (s->near)
		conn_read_resume(s->near);
}

static void raw_end(struct conn *c, const struct err *err, void *arg)
{
	struct stream *s = arg;
	if (s->near && !s->near_closed)
		conn_close(s->near, LINGER_MS);
	if (!s->far_closed)
		conn_close(s->far, LINGER_MS);
	close_ws(s, WS_CLOSE_NORMAL);
}

static void raw_closed(struct conn *c, void *arg)
{
	struct stream *s = arg;
	if (c == s->near)
		s->near_closed = true;
	else
		s->far_closed = true;
	maybe_free(s);
}

static void raw_dialed(void *arg, struct conn *conn, const struct err *err)
{
	static const struct conn_callbacks callbacks = {
	        .on_read = raw_read, .on_end = raw_end, .on_drained = raw_drained, .on_closed = raw_closed};
	struct stream *s = arg;
	struct err e = ERR_INIT;
	if (err || !s->x) {
		if (err)
			refuse(s, err);
		if (conn)
			conn_close(conn, 0);
		begin_end(s);
		stream_free(s);
		return;
	}
	s->far = conn;
	if (http_wants_upgrade(s->x, "SPDY/3.1")) {
		http_on_abort(s->x, NULL, NULL);
		http_set_header(s->x, "x-stream-protocol-version", slice_of(s->protocol));
		if (http_upgrade(s->x, "SPDY/3.1", &s->near, &e) == 0) {
			s->x = NULL;
			sm_move(&s->sm, EXEC_OPEN);
			conn_start(s->near, &callbacks, s);
		}
	} else {
		shake_hands(s, &e);
	}
	conn_start(conn, &callbacks, s);
	if (e.code) {
		refuse(s, &e);
		conn_close(conn, 0);
	}
}

/* ---- asking the runtime ---- */

static void url_told(void *arg, const void *answer, const struct err *err)
{
	CHECK(!((struct stream *)arg)->url);
	struct stream *s = arg;
	if (!s->x || err) {
		if (err)
			refuse(s, err);
		begin_end(s);
		stream_free(s);
		return;
	}
	s->url = xstrdup(((const CRI(StreamResponse) *)answer)->url);
	sm_move(&s->sm, EXEC_DIALING);
	if (s->protocol)
		spdy_dial(s->n->loop, s->url, s->protocol, raw_dialed, s);
	else
		open_channels(s);
}

static struct stream *stream_new(struct node *n, struct http_exchange *x)
{
	struct stream *s = xcalloc(1, sizeof *s);
	*s = (struct stream){.n = n, .x = x};
	sm_init(&s->sm, &machine, EXEC_ASKING, n->o.node_name);
	http_on_abort(x, client_gone, s);
	return s;
}

static char **commands(struct http_exchange *x, size_t *count)
{
	struct slice rest = http_request(x)->query, key, value;
	size_t cap = 1;
	for (size_t i = 0; i < rest.len; i++)
		cap += rest.ptr[i] == '&';
	char **v = ARENA_ARRAY(http_arena(x), char *, cap);
	while (http_query_next(http_arena(x), &rest, &key, &value))
		if (slice_is(key, "command"))
			v[(*count)++] = arena_memdup(http_arena(x), value.ptr ? value.ptr : "", value.len);
	return v;
}

static void ask_exec(struct stream *s, const char *id)
{
	CRI(ExecRequest) r = RUNTIME__V1__EXEC_REQUEST__INIT;
	r.container_id = (char *)id;
	r.cmd = commands(s->x, &r.n_cmd);
	r.tty = kubelet_flag(s->x, "tty");
	r.stdin = kubelet_flag(s->x, "input");
	r.stdout = kubelet_flag(s->x, "output");
	r.stderr = kubelet_flag(s->x, "error") && !r.tty;
	cri_call(s->n->cri, "RuntimeService/Exec", &r.base, &runtime__v1__stream_response__descriptor, CALL_MS,
	        url_told, s);
}

static void ask_attach(struct stream *s, const char *id)
{
	CRI(AttachRequest) r = RUNTIME__V1__ATTACH_REQUEST__INIT;
	r.container_id = (char *)id;
	r.tty = kubelet_flag(s->x, "tty");
	r.stdin = kubelet_flag(s->x, "input");
	r.stdout = kubelet_flag(s->x, "output");
	r.stderr = kubelet_flag(s->x, "error") && !r.tty;
	cri_call(s->n->cri, "RuntimeService/Attach", &r.base, &runtime__v1__stream_response__descriptor, CALL_MS,
	        url_told, s);
}

static bool wants_stream(struct node *n, struct http_exchange *x, struct err *err)
{
	if (!n->cri)
		err_set(err, ERR_UNAVAILABLE, "the container runtime is not up");
	else if (!http_wants_upgrade(x, "websocket") && !http_wants_upgrade(x, "SPDY/3.1"))
		err_set(err, ERR_INVAL, "unable to upgrade: an Upgrade to websocket is needed");
	return !err->code;
}

void kubelet_exec(struct node *n, struct http_exchange *x, const char *what, struct slice ns, struct slice pod,
        struct slice container)
{
	LOOP_CHECK_OWNER(n->loop);
	struct err err = ERR_INIT;
	struct pod *p = node_pod_named(n, ns, pod);
	struct container *c = p ? pod_container(p, arena_memdup(http_arena(x), container.ptr, container.len)) : NULL;
	if (wants_stream(n, x, &err) && (!c || c->state != CONTAINER_RUNNING))
		err_set(&err, ERR_NOT_FOUND, "container \"%.*s\" of pod \"%.*s/%.*s\" is not running here",
		        SLICE_FMT(container), SLICE_FMT(ns), SLICE_FMT(pod));
	if (err.code) {
		kubelet_answer_err(x, &err);
		return;
	}
	struct stream *s = stream_new(n, x);
	if (http_wants_upgrade(x, "SPDY/3.1"))
		s->protocol = "v4.channel.k8s.io";
	if (strcmp(what, "exec") == 0)
		ask_exec(s, c->id);
	else
		ask_attach(s, c->id);
}

void kubelet_port_forward(struct node *n, struct http_exchange *x, struct slice ns, struct slice pod)
{
	LOOP_CHECK_OWNER(n->loop);
	struct err err = ERR_INIT;
	struct pod *p = node_pod_named(n, ns, pod);
	struct sandbox *box = p ? pod_sandbox(p) : NULL;
	if (wants_stream(n, x, &err) && (!box || !box->is_ready))
		err_set(&err, ERR_NOT_FOUND, "pod \"%.*s/%.*s\" is not running here", SLICE_FMT(ns), SLICE_FMT(pod));
	if (err.code) {
		kubelet_answer_err(x, &err);
		return;
	}
	CRI(PortForwardRequest) r = RUNTIME__V1__PORT_FORWARD_REQUEST__INIT;
	struct stream *s = stream_new(n, x);
	s->protocol = "portforward.k8s.io";
	r.pod_sandbox_id = box->id;
	cri_call(n->cri, "RuntimeService/PortForward", &r.base, &runtime__v1__stream_response__descriptor, CALL_MS,
	        url_told, s);
}
