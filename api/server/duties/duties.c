/* See duties.h. One timer looks every second who leads and whose time has come. */
#include "api/server/duties/duties.h"

#include "api/server/duties/duty_int.h"
#include "base/check.h"
#include "base/log.h"

#include <stdlib.h>

enum {
	LOOK_MS = 1000,
	RETRY_S = 5,
	CLAIMS_S = 600,
	ENDPOINTS_S = 10,
	COMPACTION_S = 300,
	FLOWS_S = 60,
	API_S = 3,
	TOKENS_S = 1
};

static const struct duty rows[] = {
        {.name = "bootstrap", .is_led = true, .is_first = true, .run = bootstrap_run},
        {.name = "roles", .is_led = true, .is_first = true, .run = roles_run},
        {.name = "flows", .is_led = true, .is_first = true, .every_s = FLOWS_S, .run = flows_run},
        {.name = "endpoints", .is_first = true, .every_s = ENDPOINTS_S, .run = endpoints_run, .leave = endpoints_leave},
        {.name = "flow-status", .is_led = true, .every_s = API_S, .run = flow_status_run},
        {.name = "api-services", .is_led = true, .every_s = API_S, .run = api_services_run},
        {.name = "legacy-tokens", .every_s = TOKENS_S, .run = legacy_tokens_run},
        {.name = "claims", .is_led = true, .every_s = CLAIMS_S, .run = claims_run},
        {.name = "compaction",
                .is_led = true,
                .is_later = true,
                .is_compact = true,
                .every_s = COMPACTION_S,
                .run = compaction_run},
};

struct duties {
	struct api_server *server;
	struct loop *loop;
	uv_timer_t timer;
	struct duty_run runs[COUNT_OF(rows)];
	bool leads, is_closing, is_leaving;
	void (*ready)(void *arg, const struct err *err);
	void *ready_arg;
	void (*closed)(void *arg);
	void *closed_arg;
};

static unsigned period_s(const struct duties *d, const struct duty *duty)
{
	unsigned own = d->server->options.compact_interval_s;
	return duty->is_compact && own ? own : duty->every_s;
}

static void begin(struct duties *d, struct duty_run *r)
{
	CHECK(!r->is_out);
	r->is_out = true;
	r->duty->run(r);
}

static bool is_held(const struct duties *d, const struct duty_run *r)
{
	return d->leads || !r->duty->is_led;
}

/* Is a duty above `end` to be done before the first answer, and is not? */
static bool lacks_first(const struct duties *d, const struct duty_run *end)
{
	for (const struct duty_run *r = d->runs; r < end; r++)
		if (r->duty->is_first && is_held(d, r) && !r->was_done)
			return true;
	return false;
}

/* What comes before the first answer is done in the order of the rows: each needs what those above it have made. */
static bool waits_for_another(const struct duties *d, const struct duty_run *r)
{
	return r->duty->is_first && !r->was_done && lacks_first(d, r);
}

static void look(struct duties *d)
{
	uint64_t now = loop_now_ms(d->loop);
	bool leads = store_leads(d->server->store);
	LOOP_CHECK_OWNER(d->loop);
	if (leads != d->leads)
		log_info("duties", leads ? "this server leads: its duties are taken over" : "another server leads",
		        "%s", "");
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (leads && !d->leads && rows[i].is_led)
			d->runs[i].due_ms = now; /* whatever the one before has done */
	d->leads = leads;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct duty_run *r = &d->runs[i];
		if (is_held(d, r) && !r->is_out && r->due_ms <= now && !waits_for_another(d, r))
			begin(d, r);
	}
}

static void on_timer(uv_timer_t *t)
{
	look(t->data);
}

/* ---- the first time ---- */

static void tell_ready(struct duties *d, const struct err *err)
{
	void (*ready)(void *, const struct err *) = TAKE(d->ready);
	if (ready)
		ready(d->ready_arg, err);
}

/* What time mends: the store is not reached or has no leader, or who leads has yet to make the namespaces. */
static bool is_tried_again(const struct duties *d, const struct err *err)
{
	return err->code == ERR_UNAVAILABLE || err->code == ERR_TIMEOUT || err->code == ERR_BUSY ||
	       (err->code == ERR_NOT_FOUND && !d->leads);
}

static void first_is_done(struct duties *d, const struct err *err)
{
	if (err->code ? !is_tried_again(d, err) : !lacks_first(d, d->runs + COUNT_OF(rows)))
		tell_ready(d, err);
}

/* ---- the end ---- */

static void timer_closed(uv_handle_t *h)
{
	struct duties *d = h->data;
	void (*closed)(void *) = d->closed;
	void *arg = d->closed_arg;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		free(d->runs[i].state);
	free(d);
	closed(arg);
}

static bool any_is_out(const struct duties *d)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (d->runs[i].is_out)
			return true;
	return false;
}

static void close_on(struct duties *d)
{
	if (!d->is_closing || any_is_out(d))
		return;
	if (d->is_leaving) {
		uv_close((uv_handle_t *)&d->timer, timer_closed);
		return;
	}
	d->is_leaving = true;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (rows[i].leave && d->runs[i].was_done) {
			d->runs[i].is_out = true;
			rows[i].leave(&d->runs[i]);
		}
	close_on(d);
}

void duty_done(struct duty_run *r, const struct err *err)
{
	struct duties *d = r->duties;
	CHECK(r->is_out);
	r->is_out = false;
	if (err->code && !d->is_closing)
		log_warn("duties", "a duty could not be done, it is tried again", "name=%s error=\"%s\"", r->duty->name,
		        err->msg);
	unsigned next_s = err->code ? RETRY_S : period_s(d, r->duty);
	r->due_ms = next_s ? loop_now_ms(d->loop) + next_s * 1000ull : UINT64_MAX;
	bool is_first_time = r->duty->is_first && !r->was_done;
	r->was_done = r->was_done || !err->code;
	if (is_first_time)
		first_is_done(d, err);
	if (!d->is_closing)
		look(d);
	close_on(d);
}

/* ---- life ---- */

struct duties *duties_new(struct api_server *s)
{
	struct duties *d = xcalloc(1, sizeof *d);
	d->server = s;
	d->loop = s->loop;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		d->runs[i] = (struct duty_run){.server = s, .duty = &rows[i], .duties = d};
	CHECK(uv_timer_init(loop_uv(s->loop), &d->timer) == 0);
	d->timer.data = d;
	return d;
}

void duties_start(struct duties *d, void (*ready)(void *arg, const struct err *err), void *arg)
{
	LOOP_CHECK_OWNER(d->loop);
	struct err none = ERR_INIT;
	d->ready = ready;
	d->ready_arg = arg;
	d->leads = store_leads(d->server->store);
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		d->runs[i].due_ms = rows[i].is_later ? loop_now_ms(d->loop) + period_s(d, &rows[i]) * 1000ull : 0;
	uv_timer_start(&d->timer, on_timer, LOOK_MS, LOOK_MS);
	if (!lacks_first(d, d->runs + COUNT_OF(rows)))
		tell_ready(d, &none);
	look(d);
}

void duties_close(struct duties *d, void (*closed)(void *arg), void *arg)
{
	LOOP_CHECK_OWNER(d->loop);
	CHECK(!d->is_closing);
	d->is_closing = true;
	d->closed = closed;
	d->closed_arg = arg;
	d->ready = NULL;
	uv_timer_stop(&d->timer);
	close_on(d);
}
