/* See forward.h. A flight is a question under way, with all who wait for it; an upstream has its own probe.
 *
 * What can go wrong: an upstream is silent, refuses, or answers nonsense (the next one is asked); all are (done() with
 * the last error); too many ask (forward_ask() says no). */
#include "net/dns/resolve/forward.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem/map.h"
#include "base/rt/closing.h"
#include "net/dns/resolve/ask.h"
#include "net/dns/resolve/metrics.h"

#include <stdlib.h>

/* An upstream that refuses at once is not asked in circles until the time is up. */
enum { TRY_MS = 2000, ALL_TRIES_MS = 5000, PROBE_MS = 1000, TRIES_PER_UPSTREAM = 2 };

struct upstream {
	struct forward *forward;
	const struct conf_upstream *conf;
	unsigned fails; /* of its probes, since it last answered */
	bool keeps_case, is_probing;
	struct ask *probe;
	uv_timer_t next_probe;
};

struct flight {
	struct slice key;
	struct forward *forward;
	struct list_link questions;
	struct dns_name name;
	unsigned order[DNS_UPSTREAMS_MAX];
	size_t n_order, at;
	struct ask *ask;
	uint64_t deadline_ms, asked_ns;
	unsigned tries;
	uint16_t type;
	bool wants_recursion, checking_disabled, is_dnssec_ok;
};

struct forward {
	struct loop *loop;
	const struct conf_forward *conf;
	struct metrics *metrics;
	struct upstream upstreams[DNS_UPSTREAMS_MAX];
	struct map flights;
	size_t n_waiting; /* questions of all flights */
	unsigned turn;
	bool is_closing;
	struct closing closing;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* ---- policy ---- */

static bool is_up(const struct conf_forward *conf, unsigned fails)
{
	return conf->max_fails == 0 || fails <= conf->max_fails;
}

size_t forward_order(
        const struct conf_forward *conf, const unsigned *fails, unsigned turn, uint32_t random, unsigned *order)
{
	size_t n = conf->n_upstreams, count = 0;
	unsigned first = conf->policy == CONF_ROUND_ROBIN ? turn % (unsigned)n : 0;
	for (unsigned i = 0; i < n; i++) {
		unsigned u = (first + i) % (unsigned)n;
		if (is_up(conf, fails[u]))
			order[count++] = u;
	}
	if (count == 0) {
		order[0] = random % (unsigned)n;
		return 1;
	}
	for (size_t i = count; conf->policy == CONF_RANDOM && i > 1; i--) {
		size_t k = random % i;
		unsigned swap = order[i - 1];
		order[i - 1] = order[k];
		order[k] = swap;
		random = random * 1664525u + 1013904223u;
	}
	return count;
}

/* ---- health ---- */

static void probe(struct upstream *u);

static void probe_again(uv_timer_t *t)
{
	probe(t->data);
}

static void probed(void *arg, const struct dns_message *reply, const struct err *err)
{
	struct upstream *u = arg;
	bool was_up = is_up(u->forward->conf, u->fails);
	u->probe = NULL;
	if (reply) {
		u->is_probing = false;
		u->fails = 0;
		if (!was_up)
			log_info("dns", "upstream answers again", "upstream=%s", u->conf->text);
		return;
	}
	metrics_upstream_failed(u->forward->metrics, u->conf->text);
	if (u->fails < UINT32_MAX)
		u->fails++;
	if (was_up && !is_up(u->forward->conf, u->fails))
		log_warn("dns", "upstream is down", "upstream=%s error=\"%s\"", u->conf->text, err->msg);
	uv_timer_start(&u->next_probe, probe_again, u->forward->conf->health_ms, 0);
}

static struct ask_options options_for(struct upstream *u)
{
	return (struct ask_options){.loop = u->forward->loop,
	        .address = &u->conf->address,
	        .host = u->conf->host,
	        .port = u->conf->port,
	        .keeps_case = &u->keeps_case,
	        .over_tcp = u->forward->conf->force_tcp};
}

static void probe(struct upstream *u)
{
	const struct conf_forward *conf = u->forward->conf;
	struct ask_options o = options_for(u);
	o.name = &conf->health_domain;
	o.type = DNS_NS;
	o.wants_recursion = !conf->health_no_rec;
	o.timeout_ms = PROBE_MS;
	o.done = probed;
	o.arg = u;
	u->is_probing = true;
	u->probe = ask_new(&o);
}

/* ---- flights ---- */

static void flight_free(struct flight *f)
{
	map_del(&f->forward->flights, f->key);
	free(f);
}

/* Whoever waits is told one by one; what they ask anew is a flight of its own. */
static void land(struct flight *f, const struct dns_message *reply, const struct err *err)
{
	struct forward *fw = f->forward;
	struct list_link waiting;
	list_init(&waiting);
	for (struct list_link *it; (it = list_pop_front(&f->questions)) != NULL;)
		list_push_back(&waiting, it);
	flight_free(f);
	for (struct list_link *it; (it = list_pop_front(&waiting)) != NULL;) {
		struct forward_question *q = CONTAINER_OF(it, struct forward_question, link);
		fw->n_waiting--;
		q->done(q, reply, err);
	}
}

static void try_next(struct flight *f);

static void answered(void *arg, const struct dns_message *reply, const struct err *err)
{
	struct flight *f = arg;
	struct forward *fw = f->forward;
	struct upstream *u = &fw->upstreams[f->order[f->at]];
	f->ask = NULL;
	metrics_upstream(fw->metrics, u->conf->text, reply ? (int)reply->rcode : -1, f->asked_ns);
	if (reply) {
		land(f, reply, NULL);
		return;
	}
	log_debug("dns", "upstream did not answer", "upstream=%s error=\"%s\"", u->conf->text, err->msg);
	if (!u->is_probing)
		probe(u);
	f->at = (f->at + 1) % f->n_order;
	if (loop_now_ms(fw->loop) >= f->deadline_ms || ++f->tries >= f->n_order * TRIES_PER_UPSTREAM) {
		land(f, NULL, err);
		return;
	}
	try_next(f);
}

static void try_next(struct flight *f)
{
	struct upstream *u = &f->forward->upstreams[f->order[f->at]];
	struct ask_options o = options_for(u);
	uint64_t now = loop_now_ms(f->forward->loop), left = f->deadline_ms > now ? f->deadline_ms - now : 1;
	o.name = &f->name;
	o.type = f->type;
	o.wants_recursion = f->wants_recursion;
	o.checking_disabled = f->checking_disabled;
	o.is_dnssec_ok = f->is_dnssec_ok;
	o.timeout_ms = (unsigned)(left < TRY_MS ? left : TRY_MS);
	o.done = answered;
	o.arg = f;
	f->asked_ns = metrics_now_ns();
	f->ask = ask_new(&o);
}

/* What makes two questions one. */
static size_t key_of(const struct forward_question *q, uint8_t *key)
{
	memcpy(key, q->name.wire, q->name.len);
	key[q->name.len] = (uint8_t)(q->type >> 8);
	key[q->name.len + 1] = (uint8_t)q->type;
	key[q->name.len + 2] =
	        (uint8_t)(q->wants_recursion | q->checking_disabled << 1 | (unsigned)q->is_dnssec_ok << 2);
	return q->name.len + 3u;
}

static struct flight *take_off(struct forward *fw, const struct forward_question *q, struct slice key)
{
	unsigned fails[DNS_UPSTREAMS_MAX];
	struct flight *f = MAP_ENTRY_NEW(struct flight, key, key);
	list_init(&f->questions);
	f->forward = fw;
	f->name = q->name;
	f->type = q->type;
	f->wants_recursion = q->wants_recursion;
	f->checking_disabled = q->checking_disabled;
	f->is_dnssec_ok = q->is_dnssec_ok;
	for (size_t i = 0; i < fw->conf->n_upstreams; i++)
		fails[i] = fw->upstreams[i].fails;
	f->n_order = forward_order(fw->conf, fails, fw->turn++, ask_random(), f->order);
	f->deadline_ms = loop_now_ms(fw->loop) + ALL_TRIES_MS;
	map_put(&fw->flights, f->key, f);
	return f;
}

bool forward_ask(struct forward *fw, struct forward_question *q)
{
	uint8_t bytes[DNS_NAME_BYTES_MAX + 3];
	struct slice key = {(const char *)bytes, key_of(q, bytes)};
	struct flight *f = map_get(&fw->flights, key);
	bool is_new = !f;
	if (fw->is_closing || (is_new && fw->flights.count >= fw->conf->max_concurrent) ||
	        fw->n_waiting >= DNS_FORWARD_WAITERS_MAX) {
		fw->metrics->forward_rejects++;
		return false;
	}
	if (is_new)
		f = take_off(fw, q, key);
	list_push_back(&f->questions, &q->link);
	fw->n_waiting++;
	if (is_new)
		try_next(f);
	return true;
}

/* ---- life ---- */

struct forward *forward_new(struct loop *loop, const struct conf_forward *conf, struct metrics *metrics)
{
	struct forward *fw = xcalloc(1, sizeof *fw);
	fw->loop = loop;
	fw->conf = conf;
	fw->metrics = metrics;
	for (size_t i = 0; i < conf->n_upstreams; i++) {
		struct upstream *u = &fw->upstreams[i];
		u->forward = fw;
		u->conf = &conf->upstreams[i];
		u->keeps_case = true;
		uv_timer_init(loop_uv(loop), &u->next_probe);
		u->next_probe.data = u;
	}
	return fw;
}

static void all_closed(struct closing *c)
{
	struct forward *fw = CONTAINER_OF(c, struct forward, closing);
	void (*closed)(void *) = fw->closed;
	void *arg = fw->closed_arg;
	map_release(&fw->flights);
	free(fw);
	if (closed)
		closed(arg);
}

static void timer_closed(uv_handle_t *h)
{
	struct upstream *u = h->data;
	closing_part_done(&u->forward->closing);
}

static void end_flights(struct forward *fw)
{
	struct err err = ERR_INIT;
	err_set(&err, ERR_CANCELED, "the server is stopping");
	while (fw->flights.count) {
		struct flight *f = NULL;
		MAP_FOREACH (slot, &fw->flights)
			f = slot->value;
		ask_cancel(f->ask);
		land(f, NULL, &err);
	}
}

void forward_close(struct forward *fw, void (*closed)(void *arg), void *arg)
{
	fw->is_closing = true;
	fw->closed = closed;
	fw->closed_arg = arg;
	fw->closing.all_closed = all_closed;
	closing_hold(&fw->closing);
	end_flights(fw);
	for (size_t i = 0; i < fw->conf->n_upstreams; i++) {
		struct upstream *u = &fw->upstreams[i];
		if (u->probe)
			ask_cancel(TAKE(u->probe));
		closing_hold(&fw->closing);
		uv_close((uv_handle_t *)&u->next_probe, timer_closed);
	}
	closing_part_done(&fw->closing);
}
