/* See audit_webhook.h.
 *
 *     event -> `gathered` -> (full, or waited) -> a batch -> (throttle) -> on its way -> brought
 *                                                              ^  |
 *                                                        pause '--' failed
 *
 * One timer is set to whatever is due next: the wait of the first event gathered, a pause, a turn of the throttle; of a
 * server that stops, the end of its patience: what is not brought by then is lost, also what is on its way. */
#include "api/server/audit/audit_webhook.h"

#include "api/server/outgoing/kubeconfig.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/rt/closing.h"

#include <stdlib.h>

enum { AT_ONCE_MAX = 4, TRIES = 5, CALL_MS = 30000, WARN_MS = 5000 };

#define HEAD "{\"kind\":\"EventList\",\"apiVersion\":\"audit.k8s.io/v1\",\"metadata\":{},\"items\":["

struct batch {
	struct list_link link;
	struct audit_webhook *webhook;
	struct outgoing_call call;
	struct strbuf body;
	unsigned events, tried;
	uint64_t due_ms, pause_ms;
	bool is_out;
};

struct audit_webhook {
	struct loop *loop;
	const struct audit_options *options;
	struct outgoing *target;
	uv_timer_t timer;
	struct strbuf gathered; /* of the batch that is being filled: items with commas between */
	unsigned n_gathered;
	uint64_t gathered_ms;     /* since when */
	struct list_link batches; /* full, in order */
	unsigned n_out;
	uint64_t events, bytes; /* that wait, or are on their way */
	double tokens;          /* of the throttle */
	uint64_t tokens_ms;
	uint64_t lost, warned_ms;
	bool is_closing, is_closed;
	struct closing closing;
	void (*closed)(void *arg);
	void *closed_arg;
};

static void lose(struct audit_webhook *w, unsigned events, const char *why)
{
	uint64_t now = loop_now_ms(w->loop);
	w->lost += events;
	if (w->warned_ms && now - w->warned_ms < WARN_MS)
		return;
	w->warned_ms = now;
	log_error("audit", "events are lost", "webhook=%s lost=%llu why=\"%s\"", outgoing_url(w->target),
	        (unsigned long long)w->lost, why);
}

/* ---- the throttle: a bucket of tokens ---- */

static void fill_bucket(struct audit_webhook *w)
{
	const struct audit_options *o = w->options;
	uint64_t now = loop_now_ms(w->loop);
	w->tokens += (double)(now - w->tokens_ms) * (double)o->webhook_throttle_qps / 1000;
	if (w->tokens > (double)o->webhook_throttle_burst)
		w->tokens = (double)o->webhook_throttle_burst;
	w->tokens_ms = now;
}

static bool take_token(struct audit_webhook *w)
{
	if (!w->options->webhook_throttles || w->is_closing)
		return true;
	fill_bucket(w);
	if (w->tokens < 1)
		return false;
	w->tokens -= 1;
	return true;
}

static uint64_t next_token_ms(const struct audit_webhook *w)
{
	return w->tokens_ms + 1 + (uint64_t)((1 - w->tokens) * 1000 / (double)w->options->webhook_throttle_qps);
}

/* ---- batches ---- */

static void go_on(struct audit_webhook *w);

static void end_batch(struct batch *b)
{
	struct audit_webhook *w = b->webhook;
	CHECK(w->events >= b->events && w->bytes >= b->body.len && !b->is_out);
	list_del(&b->link);
	w->events -= b->events;
	w->bytes -= b->body.len;
	strbuf_release(&b->body);
	free(b);
}

static bool may_be_tried_again(const struct batch *b)
{
	const struct outgoing_call *c = &b->call;
	bool is_passing = c->err.code ? c->err.code != ERR_INVAL : c->status == 429 || c->status >= 500;
	return is_passing && b->tried < TRIES && !b->webhook->is_closing;
}

static void answered(struct outgoing_call *c)
{
	struct batch *b = CONTAINER_OF(c, struct batch, call);
	struct audit_webhook *w = b->webhook;
	char why[64];
	CHECK(b->is_out && w->n_out > 0);
	b->is_out = false;
	w->n_out--;
	if (!c->err.code && c->status / 100 == 2) {
		end_batch(b);
	} else if (may_be_tried_again(b)) {
		b->due_ms = loop_now_ms(w->loop) + b->pause_ms;
		b->pause_ms += b->pause_ms / 2;
	} else {
		snprintf(why, sizeof why, "it answered %d", c->status);
		lose(w, b->events, c->err.code ? c->err.msg : why);
		end_batch(b);
	}
	go_on(w);
}

static void send_batch(struct batch *b)
{
	struct audit_webhook *w = b->webhook;
	b->call = (struct outgoing_call){.body = strbuf_slice(&b->body),
	        .timeout_ms = w->is_closing ? AUDIT_LAST_MS_MAX : CALL_MS,
	        .done = answered};
	b->is_out = true;
	b->tried++;
	w->n_out++;
	outgoing_send(w->target, &b->call);
}

/* What is gathered becomes a batch. */
static void wrap_up(struct audit_webhook *w)
{
	struct batch *b = xcalloc(1, sizeof *b);
	CHECK(w->n_gathered > 0);
	b->webhook = w;
	b->events = w->n_gathered;
	b->pause_ms = w->options->webhook_backoff_ms;
	b->body = w->gathered;
	strbuf_adds(&b->body, "]}");
	w->bytes += 2;
	strbuf_init(&w->gathered);
	w->n_gathered = 0;
	list_push_back(&w->batches, &b->link);
}

static void timer_closed(uv_handle_t *h)
{
	struct audit_webhook *w = h->data;
	closing_part_done(&w->closing);
}

static void close_on(struct audit_webhook *w)
{
	if (!w->is_closing || w->is_closed || w->n_out || !list_empty(&w->batches))
		return;
	w->is_closed = true;
	uv_close((uv_handle_t *)&w->timer, timer_closed);
	closing_part_done(&w->closing);
}

/* The server waits no longer. Calls that are given up end later, as failed. */
static void give_up(struct audit_webhook *w)
{
	LIST_FOREACH (it, &w->batches) {
		struct batch *b = CONTAINER_OF(it, struct batch, link);
		if (b->is_out) {
			outgoing_cancel(&b->call);
			continue;
		}
		lose(w, b->events, "the server stops");
		end_batch(b);
	}
	close_on(w);
}

static void on_timer(uv_timer_t *t)
{
	struct audit_webhook *w = t->data;
	if (w->is_closing)
		give_up(w);
	else
		go_on(w);
}

static void set_timer(struct audit_webhook *w, uint64_t due_ms)
{
	uint64_t now = loop_now_ms(w->loop);
	uv_timer_stop(&w->timer);
	if (due_ms != UINT64_MAX)
		uv_timer_start(&w->timer, on_timer, due_ms > now ? due_ms - now : 0, 0);
}

/* Sends what is due, and sets the timer to what is due next. */
static void go_on(struct audit_webhook *w)
{
	uint64_t now = loop_now_ms(w->loop), next = UINT64_MAX;
	bool waited = w->n_gathered && now >= w->gathered_ms + w->options->webhook_max_wait_ms;
	if (w->n_gathered && (waited || w->is_closing || w->n_gathered >= w->options->webhook_max_size))
		wrap_up(w);
	LIST_FOREACH (it, &w->batches) {
		struct batch *b = CONTAINER_OF(it, struct batch, link);
		if (b->is_out)
			continue;
		if (w->n_out == AT_ONCE_MAX)
			break; /* an answer goes on */
		uint64_t due = w->is_closing ? 0 : b->due_ms;
		if (due <= now && take_token(w))
			send_batch(b);
		else if (due <= now)
			due = next_token_ms(w);
		if (!b->is_out && due < next)
			next = due;
	}
	if (w->n_gathered && w->gathered_ms + w->options->webhook_max_wait_ms < next)
		next = w->gathered_ms + w->options->webhook_max_wait_ms;
	if (!w->is_closing)
		set_timer(w, next);
	close_on(w);
}

/* ---- events ---- */

void audit_webhook_add(struct audit_webhook *w, struct slice event)
{
	LOOP_CHECK_OWNER(w->loop);
	if (w->is_closing) {
		w->lost++; /* of the server's very end: the log has it */
		return;
	}
	if (w->events == (uint64_t)w->options->webhook_buffer_size || w->bytes + event.len > AUDIT_PENDING_BYTES_MAX) {
		lose(w, 1, "the webhook does not keep up");
		return;
	}
	size_t before = w->gathered.len;
	if (!w->n_gathered)
		w->gathered_ms = loop_now_ms(w->loop);
	strbuf_adds(&w->gathered, w->n_gathered ? "," : HEAD);
	strbuf_add_slice(&w->gathered, event);
	w->n_gathered++;
	w->events++;
	w->bytes += w->gathered.len - before;
	if (w->n_gathered == 1 || w->n_gathered >= w->options->webhook_max_size)
		go_on(w);
}

uint64_t audit_webhook_lost(const struct audit_webhook *w)
{
	return w->lost;
}

/* ---- life ---- */

static int check(const struct audit_options *o, struct err *err)
{
	if (o->webhook_buffer_size < 1 || o->webhook_buffer_size > 1000000 || o->webhook_max_size < 1 ||
	        o->webhook_max_size > o->webhook_buffer_size)
		return err_set(err, ERR_INVAL,
		        "audit-webhook-batch-buffer-size: from 1 to 1000000 events, and audit-webhook-batch-max-size "
		        "no "
		        "more than that");
	if (o->webhook_throttle_qps < 1 || o->webhook_throttle_burst < 1 || o->webhook_throttle_burst > 1000000)
		return err_set(err, ERR_INVAL,
		        "audit-webhook-batch-throttle-qps and audit-webhook-batch-throttle-burst: 1 at least");
	return 0;
}

int audit_webhook_new(struct loop *loop, struct outgoing_pool *pool, const struct audit_options *options,
        struct audit_webhook **ret, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct outgoing_target target = {0};
	struct outgoing *o = NULL;
	if (check(options, err) != 0)
		return err->code;
	if (kubeconfig_load(&a, options->webhook_config_file, &target, err) == 0)
		outgoing_get(pool, &target, &o, err);
	arena_release(&a);
	if (!o)
		return err_wrap(err, "audit-webhook-config-file");
	struct audit_webhook *w = xcalloc(1, sizeof *w);
	w->loop = loop;
	w->options = options;
	w->target = o;
	w->tokens = (double)options->webhook_throttle_burst;
	w->tokens_ms = loop_now_ms(loop);
	list_init(&w->batches);
	CHECK(uv_timer_init(loop_uv(loop), &w->timer) == 0);
	w->timer.data = w;
	*ret = w;
	return 0;
}

static void all_closed(struct closing *c)
{
	struct audit_webhook *w = CONTAINER_OF(c, struct audit_webhook, closing);
	outgoing_unref(TAKE(w->target));
	w->closed(w->closed_arg);
}

void audit_webhook_close(struct audit_webhook *w, void (*closed)(void *arg), void *arg)
{
	LOOP_CHECK_OWNER(w->loop);
	CHECK(!w->is_closing);
	w->is_closing = true;
	w->closed = closed;
	w->closed_arg = arg;
	w->closing.all_closed = all_closed;
	closing_hold(&w->closing); /* the batches' */
	closing_hold(&w->closing);
	set_timer(w, loop_now_ms(w->loop) + AUDIT_LAST_MS_MAX);
	go_on(w);
}

void audit_webhook_free(struct audit_webhook *w)
{
	if (!w)
		return;
	CHECK(w->is_closed && !w->target);
	strbuf_release(&w->gathered);
	free(w);
}
