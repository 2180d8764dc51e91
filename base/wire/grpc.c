/* gRPC framing and clients (the protocol: grpc/doc/PROTOCOL-HTTP2.md). Servers are in grpc_server.c.
 *
 * A client's call is an HTTP/2 call whose body is a sequence of messages behind five bytes each; its outcome is in the
 * trailers, or in the headers when there is no message. What can go wrong: the server is no gRPC server (its HTTP
 * status is mapped), messages that are compressed or too large (the call is cancelled), a reset stream (mapped), an
 * answer that ends inside a message or without a status (INTERNAL). */
#include "base/wire/grpc.h"

#include "base/check.h"
#include "base/mem/arena.h"

#include <stdlib.h>

enum { MESSAGE_MAX_DEFAULT = 16 * 1024 * 1024, H2_REFUSED = 7, H2_CANCEL = 8, H2_CALM = 11, H2_SECURITY = 12 };

int grpc_err_code(int grpc_status)
{
	static const int codes[] = {0, ERR_CANCELED, ERR_INTERNAL, ERR_INVAL, ERR_TIMEOUT, ERR_NOT_FOUND, ERR_EXISTS,
	        ERR_FORBIDDEN, ERR_BUSY, ERR_CONFLICT, ERR_CONFLICT, ERR_INVAL, ERR_UNIMPLEMENTED, ERR_INTERNAL,
	        ERR_UNAVAILABLE, ERR_CORRUPT, ERR_UNAUTHENTICATED};
	return grpc_status >= 0 && grpc_status < (int)COUNT_OF(codes) ? codes[grpc_status] : ERR_INTERNAL;
}

const char *grpc_status_name(int grpc_status)
{
	static const char *const names[] = {"OK", "Canceled", "Unknown", "InvalidArgument", "DeadlineExceeded",
	        "NotFound", "AlreadyExists", "PermissionDenied", "ResourceExhausted", "FailedPrecondition", "Aborted",
	        "OutOfRange", "Unimplemented", "Internal", "Unavailable", "DataLoss", "Unauthenticated"};
	return grpc_status >= 0 && grpc_status < (int)COUNT_OF(names) ? names[grpc_status] : "Unknown";
}

/* ---- framing ---- */

void grpc_frames_init(struct grpc_frames *f, size_t message_bytes_max)
{
	*f = (struct grpc_frames){.message_bytes_max = message_bytes_max};
}

void grpc_frames_release(struct grpc_frames *f)
{
	strbuf_release(&f->message);
}

bool grpc_frames_clean(const struct grpc_frames *f)
{
	return f->head_len == 0;
}

void grpc_frame_head(char ret[5], size_t message_len)
{
	CHECK(message_len <= UINT32_MAX);
	ret[0] = 0;
	for (int i = 0; i < 4; i++)
		ret[1 + i] = (char)(message_len >> (24 - 8 * i));
}

static int take_head(struct grpc_frames *f, struct err *err)
{
	const unsigned char *h = f->head;
	f->message_len = (size_t)h[1] << 24 | (size_t)h[2] << 16 | (size_t)h[3] << 8 | h[4];
	if (h[0] == 1)
		return err_set(err, ERR_UNIMPLEMENTED, "compressed gRPC messages are not supported");
	if (h[0] != 0)
		return err_set(err, ERR_PROTOCOL, "gRPC message has unknown flags 0x%02x", h[0]);
	if (f->message_len > f->message_bytes_max)
		return err_set(err, ERR_TOO_BIG, "gRPC message of %zu bytes is larger than %zu", f->message_len,
		        f->message_bytes_max);
	strbuf_reset(&f->message);
	return 0;
}

int grpc_frames_feed(struct grpc_frames *f, const char *data, size_t len, size_t *used, bool *whole, struct err *err)
{
	*used = 0;
	*whole = false;
	while (f->head_len < 5) {
		if (*used == len)
			return 0;
		f->head[f->head_len++] = (unsigned char)data[(*used)++];
		int rc = f->head_len == 5 ? take_head(f, err) : 0;
		if (rc != 0)
			return rc;
	}
	size_t need = f->message_len - f->message.len, have = len - *used;
	size_t n = need < have ? need : have;
	strbuf_add(&f->message, data + *used, n);
	*used += n;
	if (n < need)
		return 0;
	f->head_len = 0;
	*whole = true;
	return 0;
}

bool grpc_timeout_parse(struct slice s, uint64_t *ret_ms)
{
	uint64_t n;
	if (s.len < 2 || s.len > 9 || !slice_to_u64((struct slice){s.ptr, s.len - 1}, &n))
		return false;
	switch (s.ptr[s.len - 1]) {
	case 'H':
		*ret_ms = n * 3600000;
		return true;
	case 'M':
		*ret_ms = n * 60000;
		return true;
	case 'S':
		*ret_ms = n * 1000;
		return true;
	case 'm':
		*ret_ms = n;
		return true;
	case 'u':
		*ret_ms = (n + 999) / 1000;
		return true;
	case 'n':
		*ret_ms = (n + 999999) / 1000000;
		return true;
	default:
		return false;
	}
}

void grpc_percent_encode(struct strbuf *out, struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];
		if (c >= 0x20 && c <= 0x7e && c != '%')
			strbuf_addc(out, (char)c);
		else
			strbuf_addf(out, "%%%02X", c);
	}
}

void grpc_percent_decode(struct strbuf *out, struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		int hi = s.ptr[i] == '%' && i + 2 < s.len ? hex_digit(s.ptr[i + 1]) : -1;
		int lo = hi >= 0 ? hex_digit(s.ptr[i + 2]) : -1;
		if (lo < 0) {
			strbuf_addc(out, s.ptr[i]);
			continue;
		}
		strbuf_addc(out, (char)(hi << 4 | lo));
		i += 2;
	}
}

/* ---- clients ---- */

struct grpc_call {
	struct http_call *http;
	struct grpc_call_options o;
	struct grpc_frames frames;
	bool cancelled;
	bool in_callback;
};

static void call_free(struct grpc_call *call)
{
	grpc_frames_release(&call->frames);
	free(call);
}

static int status_of_http(int status)
{
	switch (status) {
	case 400:
		return GRPC_INTERNAL;
	case 401:
		return GRPC_UNAUTHENTICATED;
	case 403:
		return GRPC_PERMISSION_DENIED;
	case 404:
		return GRPC_UNIMPLEMENTED;
	case 429:
	case 502:
	case 503:
	case 504:
		return GRPC_UNAVAILABLE;
	default:
		return GRPC_UNKNOWN;
	}
}

static int status_of_failure(const struct http_answer *a, const struct err *err)
{
	switch (a->reset_code) {
	case H2_REFUSED:
		return GRPC_UNAVAILABLE;
	case H2_CANCEL:
		return GRPC_CANCELLED;
	case H2_CALM:
		return GRPC_RESOURCE_EXHAUSTED;
	case H2_SECURITY:
		return GRPC_PERMISSION_DENIED;
	default:
		return err_grpc_status(err->code);
	}
}

static struct slice trailer(const struct http_answer *a, const char *name)
{
	for (size_t i = 0; i < a->trailers_count; i++)
		if (slice_is(a->trailers[i].name, name))
			return a->trailers[i].value;
	return http_answer_header(a, name);
}

static int outcome(struct grpc_call *call, const struct http_answer *a, struct err *err)
{
	struct slice text = trailer(a, "grpc-status");
	uint64_t status;
	if (!text.len && a->status != 200) {
		int s = status_of_http(a->status);
		err_set(err, grpc_err_code(s), "%s: HTTP status %d", call->o.method, a->status);
		return s;
	}
	if (!slice_to_u64(text, &status) || status > GRPC_UNAUTHENTICATED) {
		err_set(err, ERR_INTERNAL, "%s: answer without a gRPC status", call->o.method);
		return GRPC_INTERNAL;
	}
	if (status != GRPC_OK) {
		struct strbuf message = STRBUF_INIT;
		grpc_percent_decode(&message, trailer(a, "grpc-message"));
		err_set(err, grpc_err_code((int)status), "%s", strbuf_cstr(&message));
		strbuf_release(&message);
	} else if (!grpc_frames_clean(&call->frames)) {
		err_set(err, ERR_INTERNAL, "%s: answer ends inside a message", call->o.method);
		return GRPC_INTERNAL;
	}
	return (int)status;
}

static void on_done(struct http_call *http, const struct http_answer *a, const struct err *http_err, void *arg)
{
	struct grpc_call *call = arg;
	struct err err = ERR_INIT;
	int status;
	(void)http;
	call->http = NULL;
	if (http_err && !trailer(a, "grpc-status").len) {
		status = status_of_failure(a, http_err);
		err_set(&err, grpc_err_code(status), "%s", http_err->msg);
	} else {
		status = outcome(call, a, &err); /* a status counts even when the stream was reset behind it */
	}
	call->o.on_done(call, status, err.code ? &err : NULL, call->o.arg);
	call_free(call);
}

static void fail(struct grpc_call *call, const struct err *err)
{
	http_call_cancel(call->http);
	call->http = NULL;
	call->cancelled = true;
	call->o.on_done(call, err_grpc_status(err->code), err, call->o.arg);
}

static void on_data(struct http_call *http, struct slice data, void *arg)
{
	struct grpc_call *call = arg;
	struct err err = ERR_INIT;
	(void)http;
	call->in_callback = true;
	while (data.len && !call->cancelled) {
		size_t used;
		bool whole;
		if (grpc_frames_feed(&call->frames, data.ptr, data.len, &used, &whole, &err) != 0) {
			fail(call, &err);
			break;
		}
		data.ptr += used;
		data.len -= used;
		if (whole && call->o.on_message)
			call->o.on_message(call, strbuf_slice(&call->frames.message), call->o.arg);
	}
	call->in_callback = false;
	if (call->cancelled)
		call_free(call);
}

static void on_writable(struct http_call *http, void *arg)
{
	struct grpc_call *call = arg;
	(void)http;
	if (call->o.on_writable)
		call->o.on_writable(call, call->o.arg);
}

static size_t make_headers(const struct grpc_call_options *o, struct http_header *h, char *timeout, size_t size)
{
	size_t n = 0;
	h[n++] = (struct http_header){SLICE("content-type"), SLICE("application/grpc")};
	h[n++] = (struct http_header){SLICE("te"), SLICE("trailers")};
	if (o->timeout_ms) {
		snprintf(timeout, size, "%um", o->timeout_ms < 99999999 ? o->timeout_ms : 99999999);
		h[n++] = (struct http_header){SLICE("grpc-timeout"), slice_of(timeout)};
	}
	if (o->metadata_count)
		memcpy(h + n, o->metadata, o->metadata_count * sizeof *h);
	return n + o->metadata_count;
}

struct grpc_call *grpc_client_call(struct http_client *client, const struct grpc_call_options *options)
{
	struct grpc_call *call = xcalloc(1, sizeof *call);
	struct arena a = ARENA_INIT;
	struct strbuf body = STRBUF_INIT;
	char head[5], timeout[16];
	struct http_header *h = ARENA_ARRAY(&a, struct http_header, options->metadata_count + 3);
	call->o = *options;
	grpc_frames_init(&call->frames, options->message_bytes_max ? options->message_bytes_max : MESSAGE_MAX_DEFAULT);
	if (options->request.ptr || !options->stream) {
		grpc_frame_head(head, options->request.len);
		strbuf_add(&body, head, sizeof head);
		strbuf_add_slice(&body, options->request);
	}
	struct http_call_options o = {.method = "POST",
	        .target = options->method,
	        .headers = h,
	        .headers_count = make_headers(options, h, timeout, sizeof timeout),
	        .body = strbuf_slice(&body),
	        .stream_body = options->stream,
	        .timeout_ms = options->timeout_ms,
	        .timeout_whole = true,
	        .on_data = on_data,
	        .on_done = on_done,
	        .on_writable = on_writable,
	        .arg = call};
	call->http = http_client_call(client, &o);
	call->o.method = http_call_target(call->http);
	strbuf_release(&body);
	arena_release(&a);
	return call;
}

bool grpc_call_send(struct grpc_call *call, struct slice message)
{
	char head[5];
	if (!call->http)
		return true;
	grpc_frame_head(head, message.len);
	http_call_write(call->http, (struct slice){head, sizeof head});
	return http_call_write(call->http, message);
}

void grpc_call_send_end(struct grpc_call *call)
{
	if (call->http)
		http_call_write_end(call->http);
}

void grpc_call_cancel(struct grpc_call *call)
{
	if (call->cancelled || !call->http)
		return;
	http_call_cancel(call->http);
	call->http = NULL;
	call->cancelled = true;
	if (!call->in_callback)
		call_free(call);
}

void grpc_call_pause(struct grpc_call *call)
{
	if (call->http)
		http_call_pause(call->http);
}

void grpc_call_resume(struct grpc_call *call)
{
	if (call->http)
		http_call_resume(call->http);
}
