/* See levels.h. All loops are over levels (a dozen) and queues of one level (128): there is no index to keep right. */
#include "api/server/fairness/levels.h"

#include "api/server/fairness/shuffle.h"
#include "base/check.h"
#include "base/mem/arena.h"

#include <stdlib.h>

#define LEVEL_OF(it) CONTAINER_OF(it, struct level, link)

void levels_init(struct levels *l, unsigned seats)
{
	CHECK(seats > 0);
	*l = (struct levels){.seats = seats};
	list_init(&l->list);
}

/* ---- queues ---- */

static void make_queues(struct level *level)
{
	unsigned n = level->spec.has_queues ? level->spec.queues : 0;
	level->queues = n ? xcalloc(n, sizeof *level->queues) : NULL;
	for (unsigned i = 0; i < n; i++)
		list_init(&level->queues[i].waiting);
}

static struct level_queue *choose_queue(const struct level *level, uint64_t hash)
{
	unsigned hand[SHUFFLE_HAND_MAX];
	struct level_queue *best = NULL;
	shuffle_deal(hash, level->spec.queues, level->spec.hand, hand);
	for (unsigned i = 0; i < level->spec.hand; i++) {
		struct level_queue *q = &level->queues[hand[i]];
		if (!best || q->length < best->length)
			best = q;
	}
	return best;
}

static void stand_in(struct level_queue *q, struct seat *s)
{
	struct level *level = s->level;
	if (!q->length && q->turn < level->turn) /* what it did not use while it was empty is not saved up */
		q->turn = level->turn;
	list_push_back(&q->waiting, &s->link);
	q->length++;
	level->waiting++;
	level->all->waiting++;
	s->queue = q;
	s->state = SEAT_WAITING;
}

static void step_out(struct seat *s)
{
	CHECK(s->state == SEAT_WAITING && s->queue->length && s->level->waiting && s->level->all->waiting);
	list_del(&s->link);
	s->queue->length--;
	s->level->waiting--;
	s->level->all->waiting--;
	s->queue = NULL;
	s->state = SEAT_NONE;
}

/* The configuration has changed: all who wait, in the order in which they came to each queue. A level that has no
 * queues any more keeps them until they are empty. */
static void deal_anew(struct level *level, const struct level_spec *spec)
{
	struct level_queue *old = level->queues;
	unsigned n = old ? level->spec.queues : 0;
	bool keeps = spec->has_queues ? n == spec->queues : level->waiting > 0;
	level->spec = *spec;
	if (keeps) {
		level->spec.queues = n;
		return;
	}
	make_queues(level);
	for (unsigned i = 0; i < n; i++)
		while (!list_empty(&old[i].waiting)) {
			struct seat *s = CONTAINER_OF(old[i].waiting.next, struct seat, link);
			list_del(&s->link);
			level->waiting--;
			level->all->waiting--;
			stand_in(choose_queue(level, s->hash), s);
		}
	free(old);
}

/* ---- levels ---- */

struct level *levels_find(const struct levels *l, struct slice name)
{
	LIST_FOREACH (it, &l->list)
		if (!LEVEL_OF(it)->is_gone && slice_eq(LEVEL_OF(it)->name, name))
			return LEVEL_OF(it);
	return NULL;
}

static void set_uid(struct level *level, struct slice uid)
{
	char *copy = xmemdup(uid.ptr ? uid.ptr : "", uid.len);
	free((char *)level->uid.ptr);
	level->uid = (struct slice){copy, uid.len};
}

struct level *levels_put(struct levels *l, struct slice name, struct slice uid, const struct level_spec *spec)
{
	struct level *level = levels_find(l, name);
	CHECK(!spec->has_queues || (spec->queues && spec->hand && spec->hand <= spec->queues));
	if (!level) {
		level = xcalloc(1, sizeof *level);
		level->all = l;
		level->name = (struct slice){xmemdup(name.ptr, name.len), name.len};
		level->spec = *spec;
		list_init(&level->running);
		make_queues(level);
		list_push_back(&l->list, &level->link);
	} else {
		deal_anew(level, spec);
	}
	set_uid(level, uid);
	return level;
}

static void free_level(struct level *level)
{
	CHECK(!level->executing && !level->waiting && !level->seats_used);
	list_del(&level->link);
	free((char *)level->name.ptr);
	free((char *)level->uid.ptr);
	free(level->queues);
	free(level);
}

static void reap(struct level *level)
{
	if (level->is_gone && !level->executing && !level->waiting)
		free_level(level);
}

void levels_drop(struct level *level)
{
	CHECK(!level->is_gone);
	level->is_gone = true;
	reap(level);
}

void levels_release(struct levels *l)
{
	LIST_FOREACH (it, &l->list)
		free_level(LEVEL_OF(it));
}

/* Rounded up, so that nobody with a share has none. */
static unsigned part_up(unsigned whole, unsigned part, unsigned of)
{
	return of ? (unsigned)(((uint64_t)whole * part + of - 1) / of) : 0;
}

void levels_share(struct levels *l)
{
	unsigned shares = 0;
	LIST_FOREACH (it, &l->list)
		shares += LEVEL_OF(it)->is_gone ? 0 : LEVEL_OF(it)->spec.shares;
	LIST_FOREACH (it, &l->list) {
		struct level *level = LEVEL_OF(it);
		level->nominal = level->is_gone ? 0 : part_up(l->seats, level->spec.shares, shares);
		unsigned lendable = (unsigned)(((uint64_t)level->nominal * level->spec.lendable_percent + 50) / 100);
		level->lower = level->nominal - lendable;
		level->upper = level->spec.borrowing_percent == LEVEL_NO_LIMIT
		                       ? l->seats
		                       : level->nominal +
		                                 part_up(level->nominal, (unsigned)level->spec.borrowing_percent, 100);
		if (level->upper > l->seats)
			level->upper = l->seats;
	}
}

/* ---- seats ---- */

/* What all hold or may claim at any moment. */
static unsigned spoken_for(const struct levels *l)
{
	unsigned n = 0;
	LIST_FOREACH (it, &l->list) {
		const struct level *level = LEVEL_OF(it);
		if (!level->spec.is_exempt)
			n += level->seats_used > level->lower ? level->seats_used : level->lower;
	}
	return n;
}

static bool has_room(const struct level *level, unsigned width)
{
	unsigned then = level->seats_used + width;
	if (level->spec.is_exempt || !level->seats_used) /* one always runs, however wide */
		return true;
	if (then <= level->lower)
		return true;
	unsigned held = level->seats_used > level->lower ? level->seats_used : level->lower;
	return then <= level->upper && spoken_for(level->all) + (then - held) <= level->all->seats;
}

static void take(struct level *level, struct seat *s)
{
	s->level = level;
	s->state = SEAT_TAKEN;
	list_push_back(&level->running, &s->link);
	level->seats_used += s->width;
	level->executing++;
	level->dispatched++;
}

/* No wider than what the level may ever have. */
static unsigned fitting(const struct level *level, unsigned width)
{
	return width > level->nominal && level->nominal ? level->nominal : width ? width : 1;
}

enum level_answer level_enter(struct level *level, struct seat *s)
{
	CHECK(s->state == SEAT_NONE);
	s->level = level;
	if (!level->spec.is_exempt)
		s->width = fitting(level, s->width);
	if (!level->waiting && has_room(level, s->width)) {
		take(level, s);
		return LEVEL_RUN;
	}
	if (!level->spec.has_queues || !level->queues) {
		if (has_room(level, s->width) || s->is_patient) {
			take(level, s);
			return LEVEL_RUN;
		}
		return LEVEL_BUSY;
	}
	struct level_queue *q = choose_queue(level, s->hash);
	if (q->length >= level->spec.queue_length && !s->is_patient)
		return LEVEL_FULL;
	stand_in(q, s);
	return LEVEL_WAIT;
}

void level_leave(struct seat *s)
{
	struct level *level = s->level;
	if (s->state == SEAT_WAITING) {
		step_out(s);
		level->cancelled++;
	} else if (s->state == SEAT_TAKEN) {
		list_del(&s->link);
		CHECK(level->executing && level->seats_used >= s->width);
		level->executing--;
		level->seats_used -= s->width;
		s->state = SEAT_NONE;
	}
	reap(level);
}

/* The queue whose turn it is. */
static struct level_queue *next_queue(const struct level *level)
{
	struct level_queue *best = NULL;
	unsigned n = level->queues ? level->spec.queues : 0;
	for (unsigned i = 0; i < n; i++) {
		struct level_queue *q = &level->queues[i];
		if (q->length && (!best || q->turn < best->turn))
			best = q;
	}
	return best;
}

static struct seat *next_of(struct level *level)
{
	struct level_queue *q = level->waiting ? next_queue(level) : NULL;
	struct seat *s = q ? CONTAINER_OF(q->waiting.next, struct seat, link) : NULL;
	if (!s || !has_room(level, s->width))
		return NULL;
	step_out(s);
	level->turn = q->turn;
	q->turn += s->width;
	take(level, s);
	return s;
}

/* Levels that have less than their own come before those that borrow. */
struct seat *levels_next(struct levels *l)
{
	struct seat *s = NULL;
	if (!l->waiting)
		return NULL;
	LIST_FOREACH (it, &l->list)
		if (!s && LEVEL_OF(it)->seats_used < LEVEL_OF(it)->nominal)
			s = next_of(LEVEL_OF(it));
	LIST_FOREACH (it, &l->list)
		if (!s)
			s = next_of(LEVEL_OF(it));
	return s;
}

struct seat *levels_overdue(struct levels *l, uint64_t before_ms)
{
	LIST_FOREACH (it, &l->list) {
		struct level *level = LEVEL_OF(it);
		for (unsigned i = 0; level->waiting && i < level->spec.queues; i++)
			LIST_FOREACH (w, &level->queues[i].waiting) {
				struct seat *s = CONTAINER_OF(w, struct seat, link);
				if (s->is_patient || s->since_ms >= before_ms)
					continue;
				step_out(s);
				return s;
			}
	}
	return NULL;
}
