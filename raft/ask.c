/* A question to a server that is up, from one that is not yet: a loop of its own for one connection, on the calling
 * thread. See raft_node.h. */
#include "raft/raft_node.h"
#include "raft/wire/conn_frame.h"
#include "raft/wire/transport.h"

#include "base/check.h"

struct asking {
	struct loop loop;
	struct transport *transport;
	struct conn *conn;
	struct wire_frame_reader reader;
	struct caller greeting;
	struct slice secret;
	struct slice question;
	struct strbuf *answer;
	struct err err;
	bool answered;
	uv_timer_t timer;
	const char *url;
	unsigned timeout_ms;
	struct tls_context *tls;
	struct loop_task task;
	bool ending;
};

static void stop(void *arg)
{
	struct asking *q = arg;
	loop_stop(&q->loop);
}

static void end(struct asking *q)
{
	if (q->ending)
		return;
	q->ending = true;
	if (q->conn)
		conn_close(q->conn, 0);
	uv_close((uv_handle_t *)&q->timer, NULL);
	if (q->transport)
		transport_close(q->transport, stop, q);
	else
		stop(q);
}

static void on_open(struct conn *c, const struct err *err, void *arg)
{
	struct asking *q = arg;
	if (err) {
		q->err = *err;
		end(q);
		return;
	}
	transport_greet(q->transport, c, 0, WIRE_QUESTION, &q->greeting);
	if (caller_is_done(&q->greeting))
		conn_write_frame(c, q->question);
}

static bool on_frame(void *arg, struct slice payload)
{
	struct asking *q = arg;
	struct slice why;
	if (wire_refusal_decode(payload, &why)) {
		char text[WIRE_REFUSAL_BYTES_MAX + 1];
		memcpy(text, why.ptr, why.len);
		text[why.len] = 0;
		err_set(&q->err, ERR_FORBIDDEN, "%s turns us away: %s", q->url, text);
		return false;
	}
	if (!caller_is_done(&q->greeting)) {
		if (transport_greeting(&q->greeting, q->conn, payload, &q->err) != 0)
			return false;
		if (caller_is_done(&q->greeting))
			conn_write_frame(q->conn, q->question);
		return true;
	}
	strbuf_add_slice(q->answer, payload);
	q->answered = true;
	return false;
}

static void on_read(struct conn *c, const char *data, size_t len, void *arg)
{
	struct asking *q = arg;
	size_t used;
	if (wire_frame_feed(&q->reader, data, len, on_frame, q, &used, &q->err) != 0 || q->answered || q->err.code)
		end(q);
}

static void on_end(struct conn *c, const struct err *err, void *arg)
{
	struct asking *q = arg;
	if (err)
		q->err = *err;
	end(q);
}

static void timed_out(uv_timer_t *t)
{
	end(t->data);
}

static void begin(struct loop_task *t)
{
	static const struct conn_callbacks callbacks = {.on_open = on_open, .on_read = on_read, .on_end = on_end};
	struct asking *q = CONTAINER_OF(t, struct asking, task);
	struct transport_options o = {.loop = &q->loop, .client_tls = q->tls, .secret = q->secret, .address = ""};
	uv_timer_init(loop_uv(&q->loop), &q->timer);
	q->timer.data = q;
	uv_timer_start(&q->timer, timed_out, q->timeout_ms, 0);
	if (transport_new(&o, &q->transport, &q->err) == 0)
		q->conn = transport_connect(q->transport, q->url, 0, WIRE_QUESTION, &callbacks, q, &q->err);
	if (!q->conn)
		end(q);
}

int raft_node_ask(const char *url, const struct raft_peer_access *access, struct slice question, unsigned timeout_ms,
        struct strbuf *answer, struct err *err)
{
	struct asking q = {.question = question,
	        .answer = answer,
	        .url = url,
	        .timeout_ms = timeout_ms,
	        .tls = access->client_tls,
	        .secret = access->secret,
	        .task.run = begin,
	        .reader.bytes_max = 64 * 1024};
	loop_init(&q.loop, "raft-ask");
	loop_post(&q.loop, &q.task);
	loop_run(&q.loop);
	loop_release(&q.loop);
	wire_frame_reader_release(&q.reader);
	caller_release(&q.greeting);
	if (q.answered)
		return 0;
	*err = q.err;
	return err->code ? err->code : err_set(err, ERR_TIMEOUT, "%s did not answer within %u ms", url, timeout_ms);
}
