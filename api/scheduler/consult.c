/* Consultations: what extenders say of a pod's nodes. See scheduler_int.h.
 *
 *     filters --(each in turn, of those that are left)--> some are left --> scores (all at once) --> placed
 *        |                                                      \--(one alone, nobody to score)------^
 *        |--(a nominated node alone was asked about, and is out)--> filters, of all nodes
 *        \--(none is left)--> whose pods could go? --> victims (each in turn) --> refused, perhaps with a nomination
 *
 *     an error of one that may not be ignored, in filters --> backs off, SchedulerError; in victims --> refused
 *
 * The steps are the scheduler's own (scheduler.c), with answers between them. Time passes while an answer is waited
 * for: so nothing that points into the cache is kept meanwhile, names and uids stand for nodes and pods, and who is
 * left at the end must pass our own filters once more. If none does, or the pod is refused and anything happened
 * meanwhile that could have helped it, it backs off and is tried again, since no event will wake it.
 *
 * One consultation is under way at a time, as upstream has it, for extenders that keep books expect the pods one after
 * the other. Pods that no extender is interested in go on; the others wait, parked in their order (queue.c). Bindings
 * are not part of it: many are under way, also by extenders (bind.c).
 *
 * What can go wrong: the pod goes, or is bound by somebody (the answers are given up); nodes and victims go (see
 * above); our end, or another server that leads (everything is given up, nothing was written). Whatever an extender
 * keeps of a pod that was given up is its own business: upstream doesn't tell it either. */
#include "api/scheduler/scheduler_int.h"

#include "api/scheduler/extenders/extender_opinions.h"
#include "base/log.h"
#include "base/rt/sm.h"

enum { CONSULT_FILTERS, CONSULT_SCORES, CONSULT_VICTIMS, CONSULT_OVER };

static const struct sm_state consult_states[] = {
        [CONSULT_FILTERS] = {"filters", SM_TO(CONSULT_SCORES) | SM_TO(CONSULT_VICTIMS) | SM_TO(CONSULT_OVER)},
        [CONSULT_SCORES] = {"scores", SM_TO(CONSULT_OVER)},
        [CONSULT_VICTIMS] = {"victims", SM_TO(CONSULT_OVER)},
        [CONSULT_OVER] = {"over", 0},
};
static const struct sm_kind consult_machine = SM_KIND("consult", consult_states, NULL);

struct consult {
	struct sm sm;
	struct scheduler *s;
	struct candidate p;
	uint64_t serial;                     /* of the pod's stay in the queue */
	struct opinions nodes;               /* that there were */
	struct tally why;                    /* our own reasons against them */
	bool of_nominee;                     /* its nominated node is asked about, alone */
	bool is_disturbed;                   /* something happened that could help the pod */
	size_t at;                           /* which extender is asked, or is next */
	unsigned open;                       /* questions; never 0 between two turns */
	struct extender_victims *victims;    /* what is left of the offers of preemption */
	size_t n_victims;                    /* nodes */
	struct extender_question *questions; /* one for each extender */
};

static void tick(struct consult *c);

/* ---- its end ---- */

static struct queued_pod *queued(const struct consult *c)
{
	struct queued_pod *q = queue_find(&c->s->queue, c->p.key);
	return q && q->serial == c->serial && q->state == QUEUED_BUSY ? q : NULL;
}

static void end(struct consult *c)
{
	struct scheduler *s = c->s;
	CHECK(!c->open && s->consult == c);
	sm_move(&c->sm, CONSULT_OVER);
	s->consult = NULL;
	opinions_release(&c->nodes);
	candidate_release(&c->p);
	free(c->questions);
	free(c);
	scheduler_wake(s);
}

static void try_again(struct consult *c)
{
	queue_put_back(&c->s->queue, queued(c), false, scheduler_now_ms(c->s));
	end(c);
}

/* An extender that must be heard says nothing, or nonsense. */
static void fail(struct consult *c, const struct err *err)
{
	struct scheduler *s = c->s;
	bool was_nominated = nominee_node(s, c->p.key).len > 0;
	if (was_nominated)
		nominee_forget(s, c->p.key, SLICE_NULL);
	bind_tell_unschedulable(s, &c->p, "SchedulerError", err->msg, was_nominated ? "" : NULL);
	try_again(c);
}

/* ---- asking ---- */

static const struct scheduler_extender *extender_at(const struct consult *c, size_t i)
{
	return &c->s->conf->extenders[i];
}

static const char *verb_of(const struct scheduler_extender *x, int state)
{
	return state == CONSULT_FILTERS  ? x->filter_verb
	       : state == CONSULT_SCORES ? x->prioritize_verb
	                                 : x->preempt_verb;
}

static struct slice pod_text(const struct consult *c)
{
	return (struct slice){c->p.json->data, c->p.json->len};
}

static void write_nodes(struct consult *c, const struct scheduler_extender *x, struct strbuf *out)
{
	struct extender_node *left = xcalloc(c->nodes.left, sizeof *left);
	size_t n = 0;
	for (size_t i = 0; i < c->nodes.count; i++) {
		const struct opinion *o = &c->nodes.all[i];
		const struct node_info *node = o->is_left ? map_get(&c->s->cache.nodes, o->name) : NULL;
		if (node && node->json) /* else it has gone, and nobody needs to be asked */
			left[n++] = (struct extender_node){o->name, {node->json->data, node->json->len}};
	}
	extender_args_write(out, x, pod_text(c), left, n);
	free(left);
}

static struct pod_info *pod_by_uid(const struct node_info *n, struct slice uid)
{
	if (n && uid.len)
		LIST_FOREACH (it, &n->pods) {
			struct pod_info *p = CONTAINER_OF(it, struct pod_info, in_node);
			if (slice_eq(json_find((struct slice){p->json->data, p->json->len}, "metadata", "uid", NULL),
			            uid))
				return p;
		}
	return NULL;
}

static void write_victims(struct consult *c, const struct scheduler_extender *x, struct strbuf *out)
{
	struct arena a = ARENA_INIT;
	struct extender_victims *all = ARENA_ARRAY(&a, struct extender_victims, c->n_victims + 1);
	for (size_t i = 0; i < c->n_victims; i++) {
		const struct extender_victims *from = &c->victims[i];
		const struct node_info *node = map_get(&c->s->cache.nodes, from->node);
		struct extender_victims *to = &all[i];
		*to = (struct extender_victims){.node = from->node, .violations = from->violations};
		to->uids = ARENA_ARRAY(&a, struct slice, from->n + 1);
		to->pods = ARENA_ARRAY(&a, struct slice, from->n + 1);
		for (size_t k = 0; k < from->n; k++) {
			const struct pod_info *p = pod_by_uid(node, from->uids[k]);
			if (!p)
				continue; /* it has gone by itself */
			to->uids[to->n] = from->uids[k];
			to->pods[to->n++] = (struct slice){p->json->data, p->json->len};
		}
	}
	extender_victims_write(out, x, pod_text(c), all, c->n_victims);
	arena_release(&a);
}

static void answered(struct extender_question *q);

static void ask(struct consult *c, size_t i)
{
	struct extender_question *q = &c->questions[i];
	const struct scheduler_extender *x = extender_at(c, i);
	*q = (struct extender_question){.answered = answered, .arg = c};
	if (sm_state(&c->sm) == CONSULT_VICTIMS)
		write_victims(c, x, &q->body);
	else
		write_nodes(c, x, &q->body);
	c->open++;
	extender_ask(c->s->extenders, x, verb_of(x, sm_state(&c->sm)), q);
}

/* Asks the next one that has a say in this. False: there is none. */
static bool ask_next(struct consult *c)
{
	for (; c->at < c->s->conf->n_extenders; c->at++) {
		const struct scheduler_extender *x = extender_at(c, c->at);
		if (verb_of(x, sm_state(&c->sm)) && extender_wants(x, c->p.spec)) {
			ask(c, c->at);
			return true;
		}
	}
	return false;
}

static bool ask_all(struct consult *c)
{
	for (c->at = 0; ask_next(c); c->at++)
		;
	return c->open > 0;
}

/* ---- whose pods may go ---- */

static struct slice copy(struct arena *a, struct slice t)
{
	return (struct slice){arena_memdup(a, t.len ? t.ptr : "", t.len), t.len};
}

/* The offers by names: the cache changes while they are talked about. */
static void keep_offers(struct consult *c, const struct preemption *x)
{
	struct arena *a = &c->p.arena;
	c->victims = ARENA_ARRAY(a, struct extender_victims, x->count + 1);
	c->n_victims = x->count;
	for (size_t i = 0; i < x->count; i++) {
		const struct offer *o = &x->offers[i];
		struct extender_victims *v = &c->victims[i];
		*v = (struct extender_victims){copy(a, o->node->name), (int64_t)o->violations, NULL, NULL, o->count};
		v->uids = ARENA_ARRAY(a, struct slice, o->count + 1);
		for (size_t k = 0; k < o->count; k++) {
			const struct rcbuf *json = o->victims[k].pod->json;
			v->uids[k] = copy(a, json_find((struct slice){json->data, json->len}, "metadata", "uid", NULL));
		}
	}
}

/* What an extender has answered is worth something if its nodes and pods are there. */
static int check_victims(const struct consult *c, const struct scheduler_extender *x,
        const struct extender_victims *all, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		const struct node_info *node = map_get(&c->s->cache.nodes, all[i].node);
		if (!node || !node->json)
			return err_set(err, ERR_NOT_FOUND, "nodeinfo not found for node name \"%.*s\"",
			        SLICE_FMT(all[i].node));
		for (size_t k = 0; k < all[i].n; k++)
			if (!pod_by_uid(node, all[i].uids[k]))
				return err_set(err, ERR_NOT_FOUND,
				        "extender: %s claims to preempt pod (UID: %.*s) on node: %.*s, but the pod is "
				        "not found on that node",
				        x->url_prefix, SLICE_FMT(all[i].uids[k]), SLICE_FMT(all[i].node));
	}
	return 0;
}

/* Nodes without victims: no offers. */
static int drop_empty(const struct scheduler_extender *x, struct extender_victims *all, size_t *n, struct err *err)
{
	size_t kept = 0;
	for (size_t i = 0; i < *n; i++) {
		if (!all[i].n && !x->is_ignorable)
			return err_set(err, ERR_INVAL, "expected at least one victim pod on node \"%.*s\"",
			        SLICE_FMT(all[i].node));
		if (all[i].n)
			all[kept++] = all[i];
	}
	*n = kept;
	return 0;
}

static int hear_victims(struct consult *c, const struct scheduler_extender *x, struct slice text, struct err *err)
{
	struct extender_victims *all;
	size_t n;
	if (extender_victims_read(&c->p.arena, text, &all, &n, err) != 0 || check_victims(c, x, all, n, err) != 0 ||
	        drop_empty(x, all, &n, err) != 0)
		return err->code;
	c->victims = all;
	c->n_victims = n;
	return 0;
}

static struct offer offer_of(struct consult *c, const struct extender_victims *v)
{
	struct node_info *node = map_get(&c->s->cache.nodes, v->node);
	struct offer o = {.node = node,
	        .victims = ARENA_ARRAY(&c->p.arena, struct lesser, v->n + 1),
	        .violations = v->violations > 0 ? (size_t)v->violations : 0};
	for (size_t i = 0; i < v->n; i++) {
		struct pod_info *p = pod_by_uid(node, v->uids[i]);
		if (p)
			o.victims[o.count++] = (struct lesser){p, pod_started(p), false};
	}
	qsort(o.victims, o.count, sizeof *o.victims, preempt_most_important_first);
	return o;
}

static void refuse(struct consult *c, const struct preemption *x)
{
	scheduler_refuse(c->s, queued(c), &c->p, &c->why, x, !c->is_disturbed);
	end(c);
}

/* All have been heard: what is left of the offers is made ones again. */
static void refuse_with_victims(struct consult *c, const struct err *err)
{
	struct preemption x = {.message = err ? arena_strdup(&c->p.arena, err->msg) : NULL};
	if (!err) {
		x.offers = ARENA_ARRAY(&c->p.arena, struct offer, c->n_victims + 1);
		for (size_t i = 0; i < c->n_victims; i++) {
			struct offer o = offer_of(c, &c->victims[i]);
			if (o.node && o.node->json && o.count)
				x.offers[x.count++] = o;
		}
		if (!x.count)
			x.message = "no candidate node for preemption";
	}
	refuse(c, &x);
}

/* ---- decisions ---- */

/* The pod again, by the cache as it is now. False: its claims rule out all nodes, and that was the end. */
static bool prepare(struct consult *c)
{
	const char *problem = volumes_prepare(c->s, &c->p);
	c->p.preferences = NULL;
	if (problem) {
		scheduler_refuse_volumes(c->s, queued(c), &c->p, problem);
		end(c);
		return false;
	}
	placement_prepare(c->s, &c->p);
	return true;
}

static void place(struct consult *c)
{
	struct scheduler *s = c->s;
	struct arena *a = &c->p.arena;
	struct node_info **fit = ARENA_ARRAY(a, struct node_info *, c->nodes.left + 1);
	int64_t *points = ARENA_ARRAY(a, int64_t, c->nodes.left + 1);
	size_t n = 0;
	if (!prepare(c))
		return;
	for (size_t i = 0; i < c->nodes.count; i++) {
		const struct opinion *o = &c->nodes.all[i];
		struct node_info *node = o->is_left ? map_get(&s->cache.nodes, o->name) : NULL;
		struct verdict v;
		if (!node || !node->json || !filters_pass_beside(s, &c->p, node, &v))
			continue;
		points[n] = o->points;
		fit[n++] = node;
	}
	if (!n) {
		try_again(c);
		return;
	}
	scheduler_place(s, &c->p, n == 1 ? fit[0] : scores_pick(s, &c->p, fit, n, points));
	end(c);
}

/* What extenders have against nodes is told like our own reasons. */
static void add_reasons(struct consult *c)
{
	struct scheduler *s = c->s;
	c->why.may_help = ARENA_ARRAY(&c->p.arena, bool, s->cache.count + 1);
	for (size_t i = 0; i < c->nodes.count; i++) {
		const struct opinion *o = &c->nodes.all[i];
		const struct node_info *node = map_get(&s->cache.nodes, o->name);
		if (node && node->json)
			c->why.may_help[node->slot] = o->may_help;
		if (o->fits)
			c->why.plugins |= FILTER_EXTENDERS;
		if (o->fits && o->why)
			tally_add(&c->why,
			        &(struct verdict){.reasons = {o->why}, .count = 1, .plugin = FILTER_EXTENDERS});
	}
}

static void none_is_left(struct consult *c)
{
	struct preemption x = {0};
	if (!prepare(c))
		return;
	add_reasons(c);
	if (c->s->cache.count && c->p.profile->preempts)
		preempt(c->s, &c->p, &c->why, &x);
	if (!x.count) {
		refuse(c, &x);
		return;
	}
	keep_offers(c, &x);
	sm_move(&c->sm, CONSULT_VICTIMS);
	c->at = 0;
	tick(c);
}

/* Our own filters, of all nodes. */
static void look_at_all(struct consult *c)
{
	struct scheduler *s = c->s;
	struct node_info **fit = ARENA_ARRAY(&c->p.arena, struct node_info *, s->cache.count + 1);
	bool *is_fit = ARENA_ARRAY(&c->p.arena, bool, s->cache.count + 1);
	size_t n = scheduler_find_nodes(s, &c->p, &c->why, fit);
	for (size_t i = 0; i < n; i++)
		is_fit[fit[i]->slot] = true;
	opinions_release(&c->nodes);
	opinions_init(&c->nodes, &c->p.arena, s->cache.count);
	for (size_t i = 0; i < s->cache.count; i++) {
		const struct node_info *node = s->cache.list[i];
		opinions_add(&c->nodes, node->name, is_fit[node->slot], c->why.may_help[node->slot]);
	}
	c->of_nominee = false;
	c->at = 0;
}

/* ---- its course ---- */

static void tick_filters(struct consult *c)
{
	if (c->nodes.left && ask_next(c))
		return;
	if (!c->nodes.left && c->of_nominee) {
		if (!prepare(c))
			return;
		look_at_all(c);
		tick(c);
	} else if (!c->nodes.left) {
		none_is_left(c);
	} else if (c->nodes.left == 1) {
		place(c);
	} else {
		sm_move(&c->sm, CONSULT_SCORES);
		if (!ask_all(c))
			place(c);
	}
}

static void tick(struct consult *c)
{
	switch (sm_state(&c->sm)) {
	case CONSULT_FILTERS:
		tick_filters(c);
		return;
	case CONSULT_SCORES:
		if (!c->open)
			place(c);
		return;
	case CONSULT_VICTIMS:
		if (!c->n_victims || !ask_next(c))
			refuse_with_victims(c, NULL);
		return;
	default:
		CHECK(false);
	}
}

static int hear(struct consult *c, const struct scheduler_extender *x, struct slice text, struct err *err)
{
	struct extender_filtered filtered;
	struct extender_score *scores;
	size_t n;
	switch (sm_state(&c->sm)) {
	case CONSULT_FILTERS:
		if (extender_filtered_read(&c->p.arena, x->knows_nodes, text, &filtered, err) != 0)
			return err->code;
		return opinions_filter(&c->nodes, x, &filtered, err);
	case CONSULT_SCORES:
		if (extender_scores_read(&c->p.arena, text, &scores, &n, err) != 0)
			return err->code;
		opinions_score(&c->nodes, x, scores, n);
		return 0;
	default:
		return hear_victims(c, x, text, err);
	}
}

/* What becomes of it when an extender could not be heard. True: that was the end. */
static bool go_without(struct consult *c, const struct scheduler_extender *x, const struct err *err)
{
	int state = sm_state(&c->sm);
	if (x->is_ignorable || state == CONSULT_SCORES) {
		extender_skip(c->s->extenders, x, err);
	} else if (c->of_nominee) {
		extender_skip(c->s->extenders, x, err);
		c->nodes.left = 0; /* as upstream: all nodes are asked about then */
	} else if (state == CONSULT_FILTERS) {
		fail(c, err);
		return true;
	} else {
		refuse_with_victims(c, err);
		return true;
	}
	return false;
}

static void answered(struct extender_question *q)
{
	struct consult *c = q->arg;
	const struct scheduler_extender *x = q->of;
	struct err err = q->err;
	c->open--;
	if (c->s->closing || !queued(c)) {
		if (!c->open)
			end(c);
		return;
	}
	if (!err.code)
		hear(c, x, q->answer, &err);
	if (err.code == ERR_PROTOCOL && !q->err.code) /* else it is said already whose it is */
		err_wrap(&err, "%s with extender \"%s\"", q->verb, x->url_prefix);
	if (err.code && go_without(c, x, &err))
		return;
	if (sm_state(&c->sm) != CONSULT_SCORES)
		c->at++;
	tick(c);
}

bool consult_is_wanted(const struct scheduler *s, const struct candidate *p)
{
	for (size_t i = 0; i < s->conf->n_extenders; i++) {
		const struct scheduler_extender *x = &s->conf->extenders[i];
		if ((x->filter_verb || x->prioritize_verb || x->preempt_verb) && extender_wants(x, p->spec))
			return true;
	}
	return false;
}

void consult_start(struct scheduler *s, struct queued_pod *q, struct candidate *p)
{
	struct consult *c = xcalloc(1, sizeof *c);
	CHECK(!s->consult);
	c->s = s;
	c->p = *p;
	c->serial = q->serial;
	c->questions = xcalloc(s->conf->n_extenders, sizeof *c->questions);
	s->consult = c;
	sm_init(&c->sm, &consult_machine, CONSULT_FILTERS, arena_strdup(&c->p.arena, p->key.ptr));
	if (!prepare(c))
		return;
	struct node_info *nominated = scheduler_nominated_node(s, &c->p);
	if (nominated) {
		opinions_init(&c->nodes, &c->p.arena, 1);
		opinions_add(&c->nodes, nominated->name, true, false);
		c->of_nominee = true;
	} else {
		look_at_all(c);
	}
	tick(c);
}

void consult_check(struct scheduler *s)
{
	struct consult *c = s->consult;
	if (!c || queued(c))
		return;
	for (size_t i = 0; i < s->conf->n_extenders; i++)
		if (c->questions[i].answered)
			extender_give_up(&c->questions[i]);
}

void consult_disturb(struct scheduler *s)
{
	if (s->consult)
		s->consult->is_disturbed = true;
}

void consult_pod_changed(struct scheduler *s, struct slice key)
{
	if (!s->consult || !slice_eq(s->consult->p.key, key))
		return;
	s->consult->is_disturbed = true;
	scheduler_wake(s); /* it may be gone: consult_check() */
}
