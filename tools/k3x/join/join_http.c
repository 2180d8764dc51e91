/* A loop of its own for one call. See join_http.h. */
#include "tools/k3x/join/join_http.h"

#include "api/client/status.h"
#include "base/base64.h"
#include "base/check.h"
#include "base/wire/http_client.h"
#include "base/wire/tls.h"
#include "base/wire/url.h"

#include <time.h>

enum { CALL_MS = 20000, CONNECT_MS = 5000, BODY_BYTES_MAX = 1 << 20 };

struct calling {
	struct join_http *h;
	struct arena arena;
	struct url url;
	struct loop loop;
	struct loop_task start;
	struct http_client *client;
	struct tls_context *tls;
	struct strbuf *answer;
	struct err err;
};

static void closed(void *arg)
{
	struct calling *c = arg;
	loop_stop(&c->loop);
}

/* "Tue, 15 Nov 1994 08:12:31 GMT" (RFC 9110 section 5.6.7); 0: it is none. */
static int64_t parse_date(struct arena *a, struct slice text)
{
	struct tm tm = {0};
	const char *end = strptime(arena_printf(a, "%.*s", SLICE_FMT(text)), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	return end && !*end ? (int64_t)timegm(&tm) : 0;
}

static void answered(struct http_call *call, const struct http_answer *answer, const struct err *err, void *arg)
{
	struct calling *c = arg;
	if (err) {
		c->err = *err;
		err_wrap(&c->err, "%s%s", c->h->url, c->h->path);
	} else {
		c->h->date_s = parse_date(&c->arena, http_answer_header(answer, "date"));
		if (client_status_to_err(answer->status, answer->body, &c->err) == 0)
			strbuf_add_slice(c->answer, answer->body);
	}
	http_client_close(c->client, closed, c);
}

static void start(struct loop_task *t)
{
	struct calling *c = CONTAINER_OF(t, struct calling, start);
	struct join_http *h = c->h;
	struct http_client_options o = {
	        .loop = &c->loop, .host = c->url.host, .port = c->url.port, .tls = c->tls, .connect_ms = CONNECT_MS};
	struct slice pair =
	        slice_of(arena_printf(&c->arena, "%s:%.*s", h->user ? h->user : "server", SLICE_FMT(h->secret)));
	struct http_header headers[2 + JOIN_HTTP_HEADERS_MAX] = {{SLICE("content-type"), SLICE("application/json")}};
	size_t n = 1;
	if (h->secret.len)
		headers[n++] = (struct http_header){SLICE("authorization"),
		        slice_of(arena_printf(&c->arena, "Basic %.*s", SLICE_FMT(base64_encode(&c->arena, pair))))};
	else if (h->bearer)
		headers[n++] = (struct http_header){
		        SLICE("authorization"), slice_of(arena_printf(&c->arena, "Bearer %s", h->bearer))};
	CHECK(h->n_headers <= JOIN_HTTP_HEADERS_MAX);
	for (size_t i = 0; i < h->n_headers; i++)
		headers[n++] = h->headers[i];
	struct http_call_options call = {.method = h->method,
	        .target = h->path,
	        .headers = headers,
	        .headers_count = n,
	        .body = h->body,
	        .timeout_ms = h->timeout_ms ? h->timeout_ms : CALL_MS,
	        .body_bytes_max = BODY_BYTES_MAX,
	        .on_done = answered,
	        .arg = c};
	c->client = http_client_new(&o);
	http_client_call(c->client, &call);
}

int join_http_call(struct join_http *h, struct strbuf *answer, struct err *err)
{
	struct calling c = {.h = h, .answer = answer, .start.run = start};
	struct tls_options t = {.ca_pem = h->ca_pem,
	        .skip_verify = !h->ca_pem,
	        .certificate_file = h->cert_file,
	        .key_file = h->key_file,
	        .certificate_pem = h->certificate_pem,
	        .key_pem = h->key_pem};
	h->date_s = 0;
	if (url_parse(&c.arena, h->url, 6443, &c.url, err) == 0 && tls_context_new(&t, &c.tls, err) == 0) {
		loop_init(&c.loop, "join");
		loop_post(&c.loop, &c.start);
		loop_run(&c.loop);
		loop_release(&c.loop);
		*err = c.err;
	}
	tls_context_unref(c.tls);
	arena_release(&c.arena);
	return err->code;
}
