/* See readiness.h. A connection that can't be made or is reset is a refusal, one that gives no answer in time a
 * silence. It is kept for the next question, and left for another after a silence. Times between two questions are
 * jittered, so that the agents of a cluster don't ask together. */
#include "net/balancer/readiness.h"

#include "api/client/jitter.h"
#include "base/check.h"
#include "base/mem/arena.h"
#include "base/wire/http_client.h"

#include <stdlib.h>

enum { ANSWER_MS = 2000 };

struct readiness {
	struct readiness_options o;
	uv_timer_t timer;
	struct http_client *client;
	struct http_call *call;
	void (*closed)(void *arg);
	void *closed_arg;
	unsigned handles;
};

static void ask(uv_timer_t *t);

static void maybe_free(struct readiness *r)
{
	if (--r->handles > 0)
		return;
	void (*closed)(void *) = r->closed;
	void *arg = r->closed_arg;
	free(r);
	if (closed)
		closed(arg);
}

static void client_closed(void *arg)
{
	maybe_free(arg);
}

static unsigned jittered(unsigned ms)
{
	return ms - ms / 5 + (unsigned)jitter_below(2 * (ms / 5) + 1);
}

static void answered(struct http_call *call, const struct http_answer *answer, const struct err *err, void *arg)
{
	struct readiness *r = arg;
	enum upstream_answer a = !err                       ? UPSTREAM_NOT_READY
	                         : err->code == ERR_TIMEOUT ? UPSTREAM_SILENT
	                                                    : UPSTREAM_REFUSED;
	if (!err && answer->status == 200)
		a = UPSTREAM_READY;
	r->call = NULL;
	unsigned ms = jittered(r->o.answered(r->o.arg, a));
	uv_timer_start(&r->timer, ask, ms, 0);
}

static void ask(uv_timer_t *t)
{
	struct readiness *r = t->data;
	struct http_call_options call = {
	        .method = "GET", .target = "/readyz", .timeout_ms = ANSWER_MS, .on_done = answered, .arg = r};
	r->call = http_client_call(r->client, &call);
}

struct readiness *readiness_new(const struct readiness_options *options)
{
	struct readiness *r = xcalloc(1, sizeof *r);
	struct http_client_options o = {.loop = options->loop,
	        .host = options->host,
	        .port = options->port,
	        .tls = options->tls,
	        .protocol = HTTP_CLIENT_H1,
	        .connect_ms = ANSWER_MS};
	LOOP_CHECK_OWNER(options->loop);
	r->o = *options;
	r->client = http_client_new(&o);
	r->handles = 2;
	uv_timer_init(loop_uv(r->o.loop), &r->timer);
	r->timer.data = r;
	uv_timer_start(&r->timer, ask, 0, 0);
	return r;
}

void readiness_ask(struct readiness *r)
{
	if (!r->call)
		uv_timer_start(&r->timer, ask, 0, 0);
}

static void timer_closed(uv_handle_t *h)
{
	maybe_free(h->data);
}

void readiness_close(struct readiness *r, void (*closed)(void *arg), void *arg)
{
	r->closed = closed;
	r->closed_arg = arg;
	if (r->call)
		http_call_cancel(TAKE(r->call));
	http_client_close(TAKE(r->client), client_closed, r);
	uv_close((uv_handle_t *)&r->timer, timer_closed);
}
