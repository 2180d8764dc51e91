/* See scheduler.h. Events of pods, nodes and volumes keep the cache and the queue (events.c); a deferred function takes
 * pods off the queue and decides for one after the other. A decision is synchronous and ends in a binding that is sent
 * (many are under way at once) or in a message why not. Pods that extenders are asked about take the same steps one by
 * one, with answers between them (consult.c).
 *
 * What can go wrong: the informer is behind (bindings of pods that are gone fail with 404 and are dropped); two events
 * tell of one pod in any order with the answer of its binding (the cache takes the informer's word whenever it comes).
 */
#include "api/scheduler/scheduler_int.h"

#include "api/client/jitter.h"

#include "base/log.h"

uint64_t scheduler_now_ms(const struct scheduler *s)
{
	return loop_now_ms(s->client->loop);
}

void scheduler_wake(struct scheduler *s)
{
	if (s->started && !s->closing)
		loop_defer(s->client->loop, &s->work);
}

const struct scheduler_profile *scheduler_profile_of(const struct scheduler *s, struct slice name)
{
	for (size_t i = 0; i < s->conf->n_profiles; i++)
		if (slice_is(name, s->conf->profiles[i].name))
			return &s->conf->profiles[i];
	return NULL;
}

/* ---- deciding ---- */

void tally_add(struct tally *t, const struct verdict *v)
{
	t->plugins |= v->plugin;
	for (size_t i = 0; i < v->count; i++) {
		size_t k = 0;
		while (k < t->count && strcmp(t->rows[k].reason, v->reasons[i]) != 0)
			k++;
		if (k == COUNT_OF(t->rows))
			continue;
		t->rows[k].reason = v->reasons[i];
		t->rows[k].nodes++;
		t->count = k == t->count ? k + 1 : t->count;
	}
}

static int by_text(const void *x, const void *y)
{
	return strcmp(*(const char *const *)x, *(const char *const *)y);
}

const char *tally_text(struct arena *a, const struct tally *t, size_t nodes)
{
	const char *parts[COUNT_OF(t->rows)] = {NULL};
	struct strbuf out = STRBUF_INIT;
	for (size_t i = 0; i < t->count; i++)
		parts[i] = arena_printf(a, "%zu %s", t->rows[i].nodes, t->rows[i].reason);
	qsort(parts, t->count, sizeof *parts, by_text);
	strbuf_addf(&out, "0/%zu nodes are available: ", nodes);
	for (size_t i = 0; i < t->count; i++)
		strbuf_addf(&out, "%s%s", i ? ", " : "", parts[i]);
	strbuf_adds(&out, ".");
	const char *text = arena_strdup(a, strbuf_cstr(&out));
	strbuf_release(&out);
	return text;
}

/* How many nodes are worth looking at: all of a hundred, a share of more, which falls (upstream's adaptive percentage)
 * unless it is configured. */
static size_t enough_nodes(size_t n, size_t configured)
{
	size_t percent = configured ? configured : n / 125 < 45 ? 50 - n / 125 : 5, want = n * percent / 100;
	return n <= 100 ? n : want > 100 ? want : 100;
}

struct node_info *scheduler_nominated_node(struct scheduler *s, struct candidate *p)
{
	struct slice name = nominee_node(s, p->key);
	struct node_info *n = name.len ? map_get(&s->cache.nodes, name) : NULL;
	struct verdict v;
	return n && n->json && filters_pass_beside(s, p, n, &v) ? n : NULL;
}

size_t scheduler_find_nodes(struct scheduler *s, struct candidate *p, struct tally *t, struct node_info **ret)
{
	size_t n = s->cache.count, found = 0, enough = enough_nodes(n, (size_t)p->profile->nodes_percent), i = 0;
	t->may_help = ARENA_ARRAY(&p->arena, bool, n + 1);
	for (; i < n && found < enough; i++) {
		struct node_info *node = s->cache.list[(s->next_node + i) % n];
		struct verdict v;
		if (filters_pass_beside(s, p, node, &v)) {
			ret[found++] = node;
			continue;
		}
		t->may_help[node->slot] = v.resolvable;
		tally_add(t, &v);
	}
	s->next_node = n ? (s->next_node + i) % n : 0;
	return found;
}

/* The node that others were sent away from is looked at first, and taken if it will do. */
static struct node_info *choose(struct scheduler *s, struct candidate *p, struct tally *t)
{
	struct node_info **fit = ARENA_ARRAY(&p->arena, struct node_info *, s->cache.count + 1), *nominated;
	placement_prepare(s, p);
	if ((nominated = scheduler_nominated_node(s, p)))
		return nominated;
	size_t found = scheduler_find_nodes(s, p, t, fit);
	return found == 1 ? fit[0] : found ? scores_pick(s, p, fit, found, NULL) : NULL;
}

void scheduler_refuse(struct scheduler *s, struct queued_pod *q, struct candidate *p, const struct tally *t,
        const struct preemption *x, bool may_wait)
{
	const char *message = "no nodes available to schedule pods", *nominated = NULL;
	const struct offer *best = preempt_best(x);
	if (s->cache.count)
		message = tally_text(&p->arena, t, s->cache.count);
	if (x->message)
		message = arena_printf(&p->arena, "%s preemption: %s", message, x->message);
	if (best) {
		preempt_carry_out(s, p, best);
		nominated = arena_printf(&p->arena, "%.*s", SLICE_FMT(best->node->name));
	} else if (x->drops_nomination) {
		nominee_forget(s, p->key, SLICE_NULL);
		nominated = "";
	}
	if (may_wait)
		refused_put(&s->queue, q, p, t->plugins, scheduler_now_ms(s));
	else
		queue_put_back(&s->queue, q, false, scheduler_now_ms(s));
	bind_tell_unschedulable(s, p, "Unschedulable", message, nominated);
}

/* Nothing fits: pods of lower priority may have to go; what becomes of it is told. */
static void fits_nowhere(struct scheduler *s, struct queued_pod *q, struct candidate *p, const struct tally *t)
{
	struct preemption x = {0};
	if (s->cache.count && p->profile->preempts)
		preempt(s, p, t, &x);
	scheduler_refuse(s, q, p, t, &x, true);
}

void scheduler_refuse_volumes(struct scheduler *s, struct queued_pod *q, struct candidate *p, const char *why)
{
	const char *message = arena_printf(&p->arena,
	        "0/%zu nodes are available: %s. preemption: 0/%zu nodes are available: %zu Preemption is not helpful "
	        "for scheduling.",
	        s->cache.count, why, s->cache.count, s->cache.count);
	refused_put(&s->queue, q, p, FILTER_VOLUME_BINDING, scheduler_now_ms(s));
	bind_tell_unschedulable(s, p, "Unschedulable", message, NULL);
}

void scheduler_place(struct scheduler *s, struct candidate *p, struct node_info *n)
{
	struct volume_choice *choices = p->volumes ? volumes_choose(s, p, n) : NULL;
	nominee_forget(s, p->key, n->name); /* it counts by itself from now on */
	if (choices)
		volume_bind_start(s, p, n, choices);
	else
		bind_send(s, p, n);
}

static void decide(struct scheduler *s, struct queued_pod *q, struct candidate *p)
{
	struct tally t = {0};
	const char *why = volumes_prepare(s, p);
	struct node_info *node = why ? NULL : choose(s, p, &t);
	if (why)
		scheduler_refuse_volumes(s, q, p, why);
	else if (node)
		scheduler_place(s, p, node);
	else
		fits_nowhere(s, q, p, &t);
}

static void schedule(struct scheduler *s, struct queued_pod *q)
{
	struct informer_object *o = informer_get(shared_informer_base(s->pods), q->key);
	struct candidate p;
	if (!o) {
		queue_remove(&s->queue, q->key);
		return;
	}
	if (!candidate_read(&s->cache, &p, q->key, o->json)) {
		queue_put_back(&s->queue, q, true, scheduler_now_ms(s));
		candidate_release(&p);
		return;
	}
	p.profile = scheduler_profile_of(s, json_get_str(p.spec, "schedulerName"));
	CHECK(p.profile); /* others are not in the queue, and it can't change */
	topologies_trim(&s->cache);
	default_spread_give(s, &p);
	if (!consult_is_wanted(s, &p)) {
		decide(s, q, &p);
	} else if (s->consult) {
		queue_park(&s->queue, q);
	} else {
		consult_start(s, q, &p);
		return;
	}
	candidate_release(&p);
}

static void work(struct loop_defer *d);

static void on_timer(uv_timer_t *t)
{
	scheduler_wake(t->data);
}

static void work(struct loop_defer *d)
{
	struct scheduler *s = CONTAINER_OF(d, struct scheduler, work);
	uint64_t now = scheduler_now_ms(s), next = queue_tick(&s->queue, now);
	if (s->waits_are_stale || now >= volume_bind_deadline_ms(s))
		volume_bind_check(s);
	consult_check(s);
	for (int i = 0; i < PODS_PER_TURN && s->in_flight < BINDINGS_MAX; i++) {
		if (!s->consult)
			queue_unpark(&s->queue);
		struct queued_pod *q = queue_pop(&s->queue);
		if (!q)
			break;
		schedule(s, q);
	}
	bool is_more = heap_first(&s->queue.active) || (!s->consult && heap_first(&s->queue.parked));
	if (is_more && s->in_flight < BINDINGS_MAX)
		scheduler_wake(s);
	uint64_t deadline = volume_bind_deadline_ms(s);
	next = queue_tick(&s->queue, now);
	next = deadline && (!next || deadline < next) ? deadline : next;
	if (next)
		uv_timer_start(&s->timer, on_timer, next > now ? next - now : 1, 0);
	else
		uv_timer_stop(&s->timer);
}

/* ---- life ---- */

static void start(void *arg)
{
	struct scheduler *s = arg;
	s->started = true;
	log_info("scheduler", "started", "nodes=%zu waiting=%zu", s->cache.count, s->queue.pods.count);
	scheduler_wake(s);
}

static void all_closed(struct closing *c)
{
	struct scheduler *s = CONTAINER_OF(c, struct scheduler, close);
	void (*closed)(void *) = s->closed;
	void *arg = s->closed_arg;
	volume_bind_release(s);
	nominees_release(s);
	cache_release(&s->cache);
	queue_release(&s->queue);
	free(s);
	if (closed)
		closed(arg);
}

struct scheduler *scheduler_new(const struct scheduler_options *options)
{
	struct scheduler *s = xcalloc(1, sizeof *s);
	s->client = options->client;
	s->informers = options->informers;
	s->random = (uint32_t)jitter_below(UINT32_MAX) | 1;
	s->close.all_closed = all_closed;
	s->conf = options->configuration ? options->configuration : &scheduler_configuration_default;
	s->recorder = recorder_new(s->client, "default-scheduler", NULL);
	list_init(&s->calls);
	list_init(&s->volume_waits);
	cache_init(&s->cache);
	queue_init(&s->queue);
	s->queue.backoff_ms = s->conf->backoff_ms;
	s->queue.backoff_max_ms = s->conf->backoff_max_ms;
	for (size_t i = 0; i < s->conf->n_notes; i++)
		log_warn("scheduler", "a setting has no meaning here", "member=%s", s->conf->notes[i]);
	loop_defer_init(&s->work, work);
	CHECK(uv_timer_init(loop_uv(s->client->loop), &s->timer) == 0);
	s->timer.data = s;
	s->extenders = extenders_new(s);
	scheduler_follow(s);
	informer_set_when_synced(s->informers, start, s);
	return s;
}

static void timer_closed(uv_handle_t *h)
{
	struct scheduler *s = h->data;
	closing_part_done(&s->close);
}

void scheduler_close(struct scheduler *s, void (*closed)(void *arg), void *arg)
{
	LOOP_CHECK_OWNER(s->client->loop);
	s->closing = true;
	s->closed = closed;
	s->closed_arg = arg;
	closing_hold(&s->close);
	informer_set_stop_waiting(s->informers, start, s);
	scheduler_ignore(s);
	loop_defer_cancel(&s->work);
	bind_cancel_all(s);
	if (s->extenders)
		closing_hold(&s->close), extenders_close(s->extenders, closing_part_done, &s->close);
	closing_hold(&s->close);
	recorder_close(s->recorder, closing_part_done, &s->close);
	uv_close((uv_handle_t *)&s->timer, timer_closed);
}
