/* Asking extenders, see scheduler_int.h: one target each, whose connections are kept; a question is one call and is
 * answered once, by the extender, by its deadline or by our own end.
 *
 * What can go wrong: it is down, slow, or answers with another status than 200 (errors in upstream's words), with too
 * much (bounded) or with nonsense (extender_wire.c says so). None of it is tried again here: who asks knows what then.
 */
#include "api/scheduler/scheduler_int.h"

#include "base/log.h"

struct extenders {
	struct scheduler *s;
	struct outgoing_pool *pool;
	struct outgoing **targets; /* by their place; NULL: it can't be had */
	struct err *errors;        /* then why */
	uint64_t *told_ms;         /* when it was last said that one is skipped */
	size_t open;               /* questions */
	void (*closed)(void *arg);
	void *closed_arg;
	bool pool_is_closed;
};

static size_t place_of(const struct extenders *x, const struct scheduler_extender *of)
{
	return (size_t)(of - x->s->conf->extenders);
}

struct extenders *extenders_new(struct scheduler *s)
{
	size_t n = s->conf->n_extenders;
	if (!n)
		return NULL;
	struct extenders *x = xcalloc(1, sizeof *x);
	x->s = s;
	x->pool = outgoing_pool_new(s->client->loop);
	x->targets = xcalloc(n, sizeof(struct outgoing *));
	x->errors = xcalloc(n, sizeof *x->errors);
	x->told_ms = xcalloc(n, sizeof *x->told_ms);
	for (size_t i = 0; i < n; i++) {
		struct outgoing_target t = extender_target(&s->conf->extenders[i]);
		if (outgoing_get(x->pool, &t, &x->targets[i], &x->errors[i]) != 0)
			log_error("scheduler", "an extender can't be used", "url=%s error=\"%s\"", t.url,
			        x->errors[i].msg);
	}
	return x;
}

/* ---- closing ---- */

static void maybe_closed(struct extenders *x)
{
	if (!x->pool_is_closed || x->open)
		return;
	void (*closed)(void *) = x->closed;
	void *arg = x->closed_arg;
	free(x->targets);
	free(x->errors);
	free(x->told_ms);
	free(x);
	closed(arg);
}

static void pool_closed(void *arg)
{
	struct extenders *x = arg;
	x->pool_is_closed = true;
	maybe_closed(x);
}

void extenders_close(struct extenders *x, void (*closed)(void *arg), void *arg)
{
	x->closed = closed;
	x->closed_arg = arg;
	for (size_t i = 0; i < x->s->conf->n_extenders; i++)
		outgoing_unref(x->targets[i]);
	outgoing_pool_close(x->pool, pool_closed, x);
}

/* ---- questions ---- */

static void answer(struct extender_question *q)
{
	struct extenders *x = q->with;
	strbuf_release(&q->body);
	arena_release(&q->arena);
	x->open--;
	q->answered(q); /* and may free it */
	maybe_closed(x);
}

static void done(struct outgoing_call *call)
{
	struct extender_question *q = CONTAINER_OF(call, struct extender_question, call);
	q->err = call->err;
	q->answer = call->answer;
	if (!q->err.code && call->status != 200)
		err_set(&q->err, ERR_UNAVAILABLE, "failed %s with extender at URL %.*s/%s, code %d", q->verb,
		        SLICE_FMT(extender_prefix(q->of)), q->verb, call->status);
	else if (q->err.code)
		err_wrap(&q->err, "%s with extender", q->verb);
	answer(q);
}

static void fail(struct loop_defer *d)
{
	answer(CONTAINER_OF(d, struct extender_question, failing));
}

void extender_ask(
        struct extenders *x, const struct scheduler_extender *of, const char *verb, struct extender_question *q)
{
	size_t i = place_of(x, of);
	q->with = x;
	q->of = of;
	q->verb = verb;
	x->open++;
	if (!x->targets[i]) {
		q->err = x->errors[i];
		loop_defer_init(&q->failing, fail);
		loop_defer(x->s->client->loop, &q->failing);
		return;
	}
	q->call = (struct outgoing_call){.path = extender_path(&q->arena, of, verb),
	        .body = strbuf_slice(&q->body),
	        .timeout_ms = (unsigned)of->timeout_ms,
	        .answer_bytes_max = EXTENDER_ANSWER_BYTES_MAX,
	        .done = done};
	outgoing_send(x->targets[i], &q->call);
}

void extender_give_up(struct extender_question *q)
{
	outgoing_cancel(&q->call);
}

void extender_skip(struct extenders *x, const struct scheduler_extender *of, const struct err *why)
{
	uint64_t *told_ms = &x->told_ms[place_of(x, of)], now = scheduler_now_ms(x->s);
	if (*told_ms && now - *told_ms < LOG_REPEAT_MS)
		return;
	*told_ms = now;
	log_warn("scheduler", "an extender has failed and is passed over", "url=%s error=\"%s\"", of->url_prefix,
	        why->msg);
}

const struct scheduler_extender *extender_binder(const struct scheduler *s, const struct json *spec)
{
	for (size_t i = 0; s->extenders && i < s->conf->n_extenders; i++)
		if (s->conf->extenders[i].bind_verb && extender_wants(&s->conf->extenders[i], spec))
			return &s->conf->extenders[i];
	return NULL;
}
