/* gRPC for servers: a stream on top of an exchange. See grpc.h.
 *
 * Requests are taken apart as they come, so client and bidirectional streams need no more than one message of memory;
 * the answer's head goes out with the first message or the status, whichever comes first. */
#include "base/wire/grpc.h"

#include "base/check.h"
#include "base/mem/arena.h"

struct grpc_stream {
	struct http_exchange *x;
	struct grpc_frames frames;
	struct grpc_stream_callbacks cb;
	void *arg;
	bool begun;
	bool finished;
};

bool grpc_is_request(const struct http_exchange *x)
{
	const struct http_request *r = http_request(x);
	return r->http_major == 2 && slice_is(r->method, "POST") &&
	       slice_starts(http_header(x, "content-type"), "application/grpc");
}

static void begin(struct grpc_stream *s)
{
	if (s->begun)
		return;
	s->begun = true;
	http_set_content_type(s->x, "application/grpc");
	http_respond_begin(s->x, 200, -1);
}

static void finish(struct http_exchange *x, int status, const char *message)
{
	char digits[12];
	struct strbuf text = STRBUF_INIT;
	snprintf(digits, sizeof digits, "%d", status);
	http_set_trailer(x, "grpc-status", slice_of(digits));
	if (message && *message) {
		grpc_percent_encode(&text, slice_of(message));
		http_set_trailer(x, "grpc-message", strbuf_slice(&text));
	}
	strbuf_release(&text);
	http_respond_end(x);
}

void grpc_finish(struct grpc_stream *s, int status, const char *message)
{
	CHECK(!s->finished);
	s->finished = true;
	begin(s);
	finish(s->x, status, message);
}

void grpc_finish_err(struct grpc_stream *s, const struct err *err)
{
	grpc_finish(s, err_grpc_status(err->code), err->msg);
}

void grpc_refuse(struct http_exchange *x, int status, const char *message)
{
	http_set_content_type(x, "application/grpc");
	http_respond_begin(x, 200, -1);
	finish(x, status, message);
}

static void broken(struct grpc_stream *s, const struct err *err)
{
	void (*on_abort)(struct grpc_stream *, void *) = s->cb.on_abort;
	grpc_finish_err(s, err);
	if (on_abort)
		on_abort(s, s->arg);
}

static void on_data(struct http_exchange *x, struct slice data, bool is_end, void *arg)
{
	struct grpc_stream *s = arg;
	struct err err = ERR_INIT;
	(void)x;
	while (data.len && !s->finished) {
		size_t used;
		bool whole;
		if (grpc_frames_feed(&s->frames, data.ptr, data.len, &used, &whole, &err) != 0) {
			broken(s, &err);
			return;
		}
		data.ptr += used;
		data.len -= used;
		if (whole)
			s->cb.on_message(s, strbuf_slice(&s->frames.message), s->arg);
	}
	if (!is_end || s->finished)
		return;
	if (!grpc_frames_clean(&s->frames)) {
		err_set(&err, ERR_PROTOCOL, "request ends inside a message");
		broken(s, &err);
	} else if (s->cb.on_end) {
		s->cb.on_end(s, s->arg);
	}
}

static void on_abort(struct http_exchange *x, void *arg)
{
	struct grpc_stream *s = arg;
	(void)x;
	s->finished = true;
	if (s->cb.on_abort)
		s->cb.on_abort(s, s->arg);
}

static void on_writable(struct http_exchange *x, void *arg)
{
	struct grpc_stream *s = arg;
	(void)x;
	if (s->cb.on_writable)
		s->cb.on_writable(s, s->arg);
}

static void release(void *arg)
{
	struct grpc_stream *s = arg;
	grpc_frames_release(&s->frames);
}

struct grpc_stream *grpc_accept(
        struct http_exchange *x, size_t message_bytes_max, const struct grpc_stream_callbacks *callbacks, void *arg)
{
	struct grpc_stream *s = ARENA_NEW(http_arena(x), struct grpc_stream);
	s->x = x;
	s->cb = *callbacks;
	s->arg = arg;
	grpc_frames_init(&s->frames, message_bytes_max);
	arena_on_release(http_arena(x), release, s);
	http_on_abort(x, on_abort, s);
	http_on_writable(x, on_writable, s);
	http_body_stream(x, on_data, s);
	return s;
}

struct http_exchange *grpc_exchange(struct grpc_stream *s)
{
	return s->x;
}

uint64_t grpc_timeout_ms(struct grpc_stream *s)
{
	uint64_t ms = 0;
	return grpc_timeout_parse(http_header(s->x, "grpc-timeout"), &ms) ? ms : 0;
}

bool grpc_send(struct grpc_stream *s, struct slice message)
{
	struct rcbuf *b = rcbuf_new(GRPC_FRAME_HEAD_BYTES + message.len);
	if (message.len)
		memcpy(b->data + GRPC_FRAME_HEAD_BYTES, message.ptr, message.len);
	return grpc_send_ref(s, b);
}

bool grpc_send_ref(struct grpc_stream *s, struct rcbuf *message)
{
	begin(s);
	grpc_frame_head(message->data, message->len - GRPC_FRAME_HEAD_BYTES);
	return http_write_ref(s->x, message);
}

void grpc_want_writable(struct grpc_stream *s)
{
	begin(s);
	http_want_writable(s->x);
}

void grpc_read_pause(struct grpc_stream *s)
{
	http_body_pause(s->x);
}

void grpc_read_resume(struct grpc_stream *s)
{
	http_body_resume(s->x);
}
