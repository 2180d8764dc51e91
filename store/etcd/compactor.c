/* Automatic compaction, in etcd's two modes (server/etcdserver/api/v3compactor).
 *
 * revision: every five minutes everything older than the newest N revisions is compacted.
 * periodic: the revision is noted ten times per interval (the period, an hour at most); once the notes span the whole
 * period, the store is compacted at the oldest note once per interval. So history of at least the period is kept, and
 * after a start a whole period passes before the first compaction.
 *
 * A compaction that was refused because somebody else has compacted further is no failure; any other is logged and
 * tried again a tenth of an interval later. */
#include "store/etcd/compactor_int.h"

#include "base/check.h"
#include "base/log.h"
#include "store/etcd/serve/service.h"

#include <inttypes.h>
#include <stdlib.h>

enum { REVISION_MODE_MS = 5 * 60 * 1000, HOUR_MS = 3600 * 1000, NOTES_PER_INTERVAL = 10 };

struct etcd_compactor {
	struct etcd_service *service;
	uv_timer_t timer;
	struct store_request request;
	bool is_out;
	int64_t keep_revisions; /* revision mode; 0: periodic */
	int64_t *notes;         /* a ring */
	size_t n_notes, cap_notes, next_note;
	unsigned ticks_to_wait; /* until the next compaction may be */
};

static void compacted(struct store_request *req)
{
	struct etcd_compactor *c = CONTAINER_OF(req, struct etcd_compactor, request);
	c->is_out = false;
	c->service->calls--;
	if (req->err.code == 0)
		log_info("store", "compacted automatically", "revision=%" PRId64, req->revision_arg);
	else if (req->err.code != ERR_COMPACTED)
		log_warn("store", "automatic compaction failed", "revision=%" PRId64 " error=\"%s\"", req->revision_arg,
		        req->err.msg);
	c->ticks_to_wait = req->err.code && req->err.code != ERR_COMPACTED ? 1 : NOTES_PER_INTERVAL;
	store_request_release(req);
}

static void compact(struct etcd_compactor *c, int64_t revision)
{
	struct store_stats stats = {0};
	store_stats(c->service->store, &stats);
	if (c->is_out || revision <= stats.compacted_revision || revision < 1)
		return;
	c->is_out = true;
	c->service->calls++;
	c->request = (struct store_request){
	        .type = STORE_REQUEST_COMPACT, .revision_arg = revision, .loop = c->service->loop, .done = compacted};
	store_submit(c->service->store, &c->request);
}

static void on_timer(uv_timer_t *t)
{
	struct etcd_compactor *c = t->data;
	int64_t now = store_revision(c->service->store);
	if (c->keep_revisions) {
		compact(c, now - c->keep_revisions);
		return;
	}
	bool is_full = c->n_notes == c->cap_notes;
	int64_t oldest = c->notes[c->next_note];
	c->notes[c->next_note] = now;
	c->next_note = (c->next_note + 1) % c->cap_notes;
	c->n_notes += !is_full;
	c->ticks_to_wait -= c->ticks_to_wait > 0;
	if (is_full && !c->ticks_to_wait)
		compact(c, oldest);
}

void etcd_compactor_start(struct etcd_service *s)
{
	LOOP_CHECK_OWNER(s->loop);
	const struct etcd_service_options *o = &s->options;
	uint64_t tick_ms = REVISION_MODE_MS;
	if (!o->compact_keep_revisions && !o->compact_period_ms)
		return;
	struct etcd_compactor *c = xcalloc(1, sizeof *c);
	c->service = s;
	c->keep_revisions = o->compact_keep_revisions;
	if (!c->keep_revisions) {
		uint64_t interval = o->compact_period_ms < HOUR_MS ? o->compact_period_ms : HOUR_MS;
		tick_ms = interval / NOTES_PER_INTERVAL;
		tick_ms = tick_ms ? tick_ms : 1;
		c->cap_notes = (size_t)(o->compact_period_ms / tick_ms);
		c->notes = xcalloc(c->cap_notes, sizeof *c->notes);
	}
	CHECK(uv_timer_init(loop_uv(s->loop), &c->timer) == 0);
	c->timer.data = c;
	uv_timer_start(&c->timer, on_timer, tick_ms, tick_ms);
	s->compactor = c;
}

static void timer_closed(uv_handle_t *h)
{
	struct etcd_compactor *c = h->data;
	c->service->calls--;
	free(c->notes);
	free(c);
}

static void close_when_idle(uv_timer_t *t)
{
	struct etcd_compactor *c = t->data;
	if (!c->is_out)
		uv_close((uv_handle_t *)t, timer_closed);
}

void etcd_compactor_stop(struct etcd_service *s)
{
	LOOP_CHECK_OWNER(s->loop);
	struct etcd_compactor *c = TAKE(s->compactor);
	if (!c)
		return;
	s->calls++;
	uv_timer_start(&c->timer, close_when_idle, 0, 1);
}
