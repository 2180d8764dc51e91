/* Compaction: the store forgets what is older than an interval, as kube-apiserver has etcd do it every five minutes.
 *
 * Every interval the store's revision is noted, and everything superseded before the one noted last time may go. So a
 * continue token or an exact resourceVersion is good for one interval at least, then its answer is 410. The cache is
 * not touched: it needs no history. */
#include "api/server/duties/compact.h"

#include "api/server/state.h"
#include "base/log.h"

#include <inttypes.h>
#include <stdlib.h>

enum { INTERVAL_S = 300 };

struct compactor {
	struct api_server *server;
	uv_timer_t timer;
	struct store_request request;
	int64_t noted; /* revision of the last tick */
	bool is_out;   /* the request is */
	bool closing;
	void (*closed)(struct api_server *s);
};

static void on_closed(uv_handle_t *h)
{
	struct compactor *k = h->data;
	struct api_server *s = k->server;
	void (*closed)(struct api_server *) = k->closed;
	free(k);
	closed(s);
}

static void close_when_idle(struct compactor *k)
{
	if (k->closing && !k->is_out)
		uv_close((uv_handle_t *)&k->timer, on_closed);
}

static void done(struct store_request *req)
{
	struct compactor *k = CONTAINER_OF(req, struct compactor, request);
	if (req->err.code && req->err.code != ERR_COMPACTED)
		log_warn("compact", "compaction failed, it is tried again in a while",
		        "revision=%" PRId64 " error=\"%s\"", req->revision_arg, req->err.msg);
	store_request_release(req);
	k->is_out = false;
	close_when_idle(k);
}

static void tick(uv_timer_t *t)
{
	struct compactor *k = t->data;
	int64_t upto = k->noted;
	k->noted = store_revision(k->server->store);
	if (k->is_out || upto <= 1 || upto == k->request.revision_arg)
		return;
	k->request = (struct store_request){
	        .type = STORE_REQUEST_COMPACT, .revision_arg = upto, .loop = k->server->loop, .done = done};
	k->is_out = true;
	store_submit(k->server->store, &k->request);
}

struct compactor *compactor_new(struct api_server *s)
{
	struct compactor *k = xcalloc(1, sizeof *k);
	uint64_t interval_ms = (s->options.compact_interval_s ? s->options.compact_interval_s : INTERVAL_S) * 1000ull;
	k->server = s;
	uv_timer_init(loop_uv(s->loop), &k->timer);
	k->timer.data = k;
	uv_timer_start(&k->timer, tick, interval_ms, interval_ms);
	return k;
}

void compactor_close(struct compactor *k, void (*closed)(struct api_server *s))
{
	k->closing = true;
	k->closed = closed;
	close_when_idle(k);
}
