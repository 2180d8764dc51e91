/* Linearizable registers (Herlihy and Wing 1990), decided per key.
 *
 * The search walks the ends of operations in the order of time. A node is a place in that order and a configuration:
 * the value of the register and which of the operations under way have already taken effect. At the end of an operation
 * that has not yet taken effect, operations under way are tried one after another until it has (just-in-time
 * linearization, Lowe 2017); the nodes seen are kept, so that no configuration is explored twice (Wing and Gong 1993).
 * Depth first: a valid history is usually decided in one pass.
 *
 * What keeps it small:
 * - Reads change nothing, so an open read takes effect as soon as the register holds its value: reads never branch.
 * - A write of unknown outcome matters until the last operation that saw its value has ended, and not at all when there
 *   is none. All that are alike are one: a configuration counts how many of them are spent.
 * - A node is skipped when one at the same place with the same value and the same finished writes has no fewer reads
 *   behind it and no more unknown writes spent.
 *
 * When the nodes outgrow the memory allowed, it begins anew level by level and forgets what lies behind.
 *
 * When no order exists, the furthest end that any path reached is the smallest window: everything before it can be
 * ordered, and the operation that ends there cannot be placed. */
#include "jepsen/check_int.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdlib.h>

struct reg_op {
	const struct history_op *op;
	enum history_f f;
	int64_t value; /* read: what it saw; write, cas: what it left */
	int64_t expect;
	uint32_t begin, end; /* records; HISTORY_NONE: for ever */
	uint32_t slot;       /* in a configuration while under way: a bit, or a counter if unknown */
	bool is_unknown;
	const struct history_op **alike; /* unknown: all of its kind, by their begin */
	uint32_t alike_count;
};

struct reg_event {
	uint32_t op;
	uint32_t open_at, open_count; /* operations under way then, in search.open */
	bool is_expiry;               /* an unknown write stops to matter */
};

struct reg_node {
	int64_t value;
	uint32_t event;
	uint32_t next;   /* in its hash chain */
	uint32_t parent; /* the node it was made from */
	uint32_t placed; /* the operation that made it */
};

struct reg_search {
	struct check_context *c;
	struct arena arena;
	struct reg_op *ops;
	uint32_t op_count;
	struct reg_event *events;
	uint32_t event_count;
	uint32_t *open;
	size_t open_count, open_cap;
	/* A configuration: bits of operations that took effect, then 16-bit counters of unknown ones that were spent.
	 */
	uint32_t bit_words, words, counters;
	/* nodes: parallel arrays, the bits of node i begin at bits[i * words] */
	struct reg_node *nodes;
	uint64_t *bits;
	uint32_t node_count, node_cap;
	uint32_t *stack; /* to be expanded, depth first */
	size_t stack_count, stack_cap;
	uint32_t *heads, *chain; /* or, when not NULL, level by level: a list per event */
	uint32_t *buckets;
	uint32_t bucket_mask;
	uint32_t furthest, furthest_node;
	uint64_t *writes, *reads; /* bits by kind at the event in hand */
	uint32_t masks_of;
};

/* ---- which operations take part ---- */

static bool make_op(struct check_context *c, const struct history_op *op, struct reg_op *ret)
{
	const struct history_record *i = op_invoke(c, op), *o = op_complete(c, op);
	if (!i || op->type == HISTORY_FAIL || (i->f != HISTORY_READ && i->f != HISTORY_WRITE && i->f != HISTORY_CAS))
		return false;
	if (i->f == HISTORY_READ && op->type != HISTORY_OK)
		return false;
	*ret = (struct reg_op){.op = op,
	        .f = (enum history_f)i->f,
	        .value = i->f == HISTORY_READ ? o->value : i->value,
	        .expect = i->expect,
	        .begin = op->invoke,
	        .end = op_end(op),
	        .is_unknown = op->type != HISTORY_OK};
	return true;
}

struct sighting {
	int64_t value;
	uint32_t end;
};

static int by_value_and_end(const void *a, const void *b)
{
	const struct sighting *x = a, *y = b;
	if (x->value != y->value)
		return x->value < y->value ? -1 : 1;
	return x->end < y->end ? -1 : x->end > y->end;
}

/* The last end of an operation that saw `value`; 0 when none did. */
static uint32_t last_sight(const struct sighting *s, size_t count, int64_t value)
{
	size_t lo = 0, hi = count;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		if (s[mid].value <= value)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo && s[lo - 1].value == value ? s[lo - 1].end : 0;
}

/* Unknown writes end with the last that saw their value; those that nobody saw are dropped. */
static void bound_unknowns(struct reg_search *s)
{
	struct sighting *seen = xmalloc((s->op_count + 1) * sizeof *seen);
	size_t count = 0;
	for (uint32_t i = 0; i < s->op_count; i++)
		if (s->ops[i].f != HISTORY_WRITE)
			seen[count++] = (struct sighting){
			        s->ops[i].f == HISTORY_READ ? s->ops[i].value : s->ops[i].expect, s->ops[i].end};
	qsort(seen, count, sizeof *seen, by_value_and_end);
	uint32_t kept = 0;
	for (uint32_t i = 0; i < s->op_count; i++) {
		struct reg_op *op = &s->ops[i];
		if (op->is_unknown) {
			op->end = last_sight(seen, count, op->value);
			if (op->end <= op->begin)
				continue;
		}
		s->ops[kept++] = *op;
	}
	s->op_count = kept;
	free(seen);
}

static int by_kind_and_begin(const void *a, const void *b)
{
	const struct reg_op *x = *(const struct reg_op *const *)a, *y = *(const struct reg_op *const *)b;
	if (x->f != y->f)
		return x->f < y->f ? -1 : 1;
	if (x->value != y->value)
		return x->value < y->value ? -1 : 1;
	if (x->expect != y->expect)
		return x->expect < y->expect ? -1 : 1;
	return x->begin < y->begin ? -1 : 1;
}

static bool is_alike(const struct reg_op *x, const struct reg_op *y)
{
	return x->f == y->f && x->value == y->value && x->expect == y->expect;
}

/* Puts unknown operations that are alike into the first of them. */
static void join_unknowns(struct reg_search *s)
{
	struct reg_op **sorted = ARENA_ARRAY(&s->arena, struct reg_op *, s->op_count + 1);
	const struct history_op **ops = ARENA_ARRAY(&s->arena, const struct history_op *, s->op_count + 1);
	uint32_t n = 0, kept = 0;
	for (uint32_t i = 0; i < s->op_count; i++)
		if (s->ops[i].is_unknown)
			sorted[n++] = &s->ops[i];
	if (n)
		qsort(sorted, n, sizeof(struct reg_op *), by_kind_and_begin);
	for (uint32_t i = 0, first = 0; i < n; i++) {
		ops[i] = sorted[i]->op;
		if (!is_alike(sorted[first], sorted[i]))
			first = i;
		sorted[first]->alike = ops + first;
		sorted[first]->alike_count = i - first + 1;
	}
	for (uint32_t i = 0; i < s->op_count; i++)
		if (!s->ops[i].is_unknown || s->ops[i].alike)
			s->ops[kept++] = s->ops[i];
	s->op_count = kept;
}

/* ---- events ---- */

struct reg_end {
	uint32_t end, is_expiry, op;
};

static int by_end(const void *a, const void *b)
{
	const struct reg_end *x = a, *y = b;
	if (x->end != y->end)
		return x->end < y->end ? -1 : 1;
	if (x->is_expiry != y->is_expiry) /* what expires with its last reader expires behind it */
		return x->is_expiry < y->is_expiry ? -1 : 1;
	return x->op < y->op ? -1 : x->op > y->op;
}

struct slot_pool {
	uint32_t *free; /* stack */
	uint32_t free_count, used;
};

struct slots {
	struct slot_pool pools[2]; /* bits, counters */
	uint32_t *open;            /* operations under way */
	uint32_t open_count;
};

static void open_op(struct reg_search *s, struct slots *t, uint32_t op)
{
	struct slot_pool *p = &t->pools[s->ops[op].is_unknown];
	s->ops[op].slot = p->free_count ? p->free[--p->free_count] : p->used++;
	t->open[t->open_count++] = op;
}

static void close_op(struct reg_search *s, struct slots *t, uint32_t op)
{
	struct slot_pool *p = &t->pools[s->ops[op].is_unknown];
	uint32_t at = 0;
	while (t->open[at] != op)
		at++;
	memmove(t->open + at, t->open + at + 1, (--t->open_count - at) * sizeof *t->open);
	p->free[p->free_count++] = s->ops[op].slot;
}

static void keep_open(struct reg_search *s, const struct slots *t, struct reg_event *e)
{
	while (s->open_count + t->open_count > s->open_cap) {
		s->open_cap = s->open_cap ? 2 * s->open_cap : 1024;
		s->open = xrealloc(s->open, s->open_cap * sizeof *s->open);
	}
	e->open_at = (uint32_t)s->open_count;
	e->open_count = t->open_count;
	memcpy(s->open + s->open_count, t->open, t->open_count * sizeof *t->open);
	s->open_count += t->open_count;
}

/* False when the lists of what is open would break the budget. */
static bool make_events(struct reg_search *s)
{
	struct reg_end *ends = ARENA_ARRAY(&s->arena, struct reg_end, s->op_count + 1);
	struct slots t = {.open = ARENA_ARRAY(&s->arena, uint32_t, s->op_count + 1)};
	t.pools[0].free = ARENA_ARRAY(&s->arena, uint32_t, s->op_count + 1);
	t.pools[1].free = ARENA_ARRAY(&s->arena, uint32_t, s->op_count + 1);
	uint32_t next = 0;
	for (uint32_t i = 0; i < s->op_count; i++)
		ends[i] = (struct reg_end){s->ops[i].end, s->ops[i].is_unknown, i};
	qsort(ends, s->op_count, sizeof *ends, by_end);
	s->events = ARENA_ARRAY(&s->arena, struct reg_event, s->op_count + 1);
	for (uint32_t i = 0; i < s->op_count; i++) {
		while (next < s->op_count && s->ops[next].begin < ends[i].end)
			open_op(s, &t, next++);
		struct reg_event *e = &s->events[s->event_count++];
		*e = (struct reg_event){.op = ends[i].op, .is_expiry = ends[i].is_expiry};
		keep_open(s, &t, e);
		if (s->open_count > s->c->options->memory_bytes_max / 8)
			return false;
		close_op(s, &t, ends[i].op);
	}
	s->bit_words = t.pools[0].used / 64 + 1;
	s->counters = t.pools[1].used;
	s->words = s->bit_words + (s->counters + 3) / 4;
	return true;
}

/* ---- nodes ---- */

static bool has_bit(const uint64_t *bits, uint32_t slot)
{
	return bits[slot / 64] >> (slot % 64) & 1;
}

static void set_bit(uint64_t *bits, uint32_t slot)
{
	bits[slot / 64] |= (uint64_t)1 << (slot % 64);
}

static void clear_bit(uint64_t *bits, uint32_t slot)
{
	bits[slot / 64] &= ~((uint64_t)1 << (slot % 64));
}

static uint16_t *counters_of(const struct reg_search *s, uint64_t *bits)
{
	return (uint16_t *)(void *)(bits + s->bit_words);
}

/* Sorts the bits in use at an event by kind. */
static void make_masks(struct reg_search *s, uint32_t event)
{
	if (s->masks_of == event)
		return;
	s->masks_of = event;
	size_t bytes = s->bit_words * sizeof(uint64_t);
	memset(s->writes, 0, bytes);
	memset(s->reads, 0, bytes);
	const struct reg_event *e = &s->events[event];
	for (uint32_t i = 0; i < e->open_count; i++) {
		const struct reg_op *op = &s->ops[s->open[e->open_at + i]];
		if (!op->is_unknown)
			set_bit(op->f == HISTORY_READ ? s->reads : s->writes, op->slot);
	}
}

static uint64_t mix(uint64_t x)
{
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93ull;
	return x ^ x >> 32;
}

static uint32_t hash_of(const struct reg_search *s, uint32_t event, int64_t value, const uint64_t *bits)
{
	uint64_t x = mix((uint64_t)value ^ mix(event));
	for (uint32_t w = 0; w < s->bit_words; w++)
		x = mix(x ^ (bits[w] & s->writes[w]));
	return (uint32_t)x & s->bucket_mask;
}

/* Whether a node at the same place is at least as good. */
static bool is_seen(struct reg_search *s, uint32_t bucket, uint32_t event, int64_t value, uint64_t *bits)
{
	for (uint32_t at = s->buckets[bucket]; at != HISTORY_NONE; at = s->nodes[at].next) {
		uint64_t *old = s->bits + (size_t)at * s->words;
		bool better = s->nodes[at].event == event && s->nodes[at].value == value;
		for (uint32_t w = 0; better && w < s->bit_words; w++)
			better = ((old[w] ^ bits[w]) & s->writes[w]) == 0 && (bits[w] & ~old[w] & s->reads[w]) == 0;
		for (uint32_t i = 0; better && i < s->counters; i++)
			better = counters_of(s, old)[i] <= counters_of(s, bits)[i];
		if (better)
			return true;
	}
	return false;
}

static void rehash(struct reg_search *s, uint32_t count)
{
	s->buckets = xrealloc(s->buckets, count * sizeof *s->buckets);
	s->bucket_mask = count - 1;
	memset(s->buckets, 0xff, count * sizeof *s->buckets);
	for (uint32_t i = 0; i < s->node_count; i++) {
		make_masks(s, s->nodes[i].event);
		uint32_t b = hash_of(s, s->nodes[i].event, s->nodes[i].value, s->bits + (size_t)i * s->words);
		s->nodes[i].next = s->buckets[b];
		s->buckets[b] = i;
	}
}

static void grow_nodes(struct reg_search *s)
{
	s->node_cap = s->node_cap ? 2 * s->node_cap : 1024;
	s->nodes = xrealloc(s->nodes, s->node_cap * sizeof *s->nodes);
	s->bits = xrealloc(s->bits, (size_t)s->node_cap * s->words * sizeof *s->bits);
	if (s->heads)
		s->chain = xrealloc(s->chain, s->node_cap * sizeof *s->chain);
}

static void push(struct reg_search *s, uint32_t node)
{
	if (s->heads) {
		s->chain[node] = s->heads[s->nodes[node].event];
		s->heads[s->nodes[node].event] = node;
		return;
	}
	if (s->stack_count == s->stack_cap) {
		s->stack_cap = s->stack_cap ? 2 * s->stack_cap : 1024;
		s->stack = xrealloc(s->stack, s->stack_cap * sizeof *s->stack);
	}
	s->stack[s->stack_count++] = node;
}

/* Walks over the ends that `bits` has behind it already, letting open reads of `value` take effect, up to the first
 * that has not taken effect. */
static uint32_t settle(struct reg_search *s, uint32_t event, int64_t value, uint64_t *bits)
{
	for (; event < s->event_count; event++) {
		const struct reg_event *e = &s->events[event];
		for (uint32_t i = 0; i < e->open_count; i++) {
			const struct reg_op *op = &s->ops[s->open[e->open_at + i]];
			if (op->f == HISTORY_READ && op->value == value)
				set_bit(bits, op->slot);
		}
		uint32_t slot = s->ops[e->op].slot;
		if (e->is_expiry) {
			counters_of(s, bits)[slot] = 0;
			continue;
		}
		if (!has_bit(bits, slot))
			break;
		clear_bit(bits, slot);
	}
	return event;
}

/* The bits of the new node lie behind the last one. */
static void add_node(struct reg_search *s, uint32_t event, int64_t value, uint32_t parent, uint32_t placed)
{
	uint64_t *bits = s->bits + (size_t)s->node_count * s->words;
	event = settle(s, event, value, bits);
	if (event < s->event_count)
		make_masks(s, event);
	uint32_t bucket = hash_of(s, event, value, bits);
	if (is_seen(s, bucket, event, value, bits))
		return;
	uint32_t at = s->node_count++;
	s->nodes[at] = (struct reg_node){value, event, s->buckets[bucket], parent, placed};
	s->buckets[bucket] = at;
	if (event > s->furthest || s->furthest_node == HISTORY_NONE) {
		s->furthest = event;
		s->furthest_node = at;
	}
	push(s, at);
	if (s->node_count > s->bucket_mask)
		rehash(s, 2 * (s->bucket_mask + 1));
}

/* ---- the search ---- */

/* How many of a kind of unknown operations had begun when the event's record came. */
static uint32_t begun_of(const struct reg_op *op, uint32_t end)
{
	uint32_t lo = 0, hi = op->alike_count;
	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2;
		if (op->alike[mid]->invoke < end)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < UINT16_MAX ? lo : UINT16_MAX;
}

static bool may_place(const struct reg_search *s, const struct reg_op *op, uint32_t end, int64_t value, uint64_t *bits)
{
	if (op->f == HISTORY_READ || (op->f == HISTORY_CAS && op->expect != value))
		return false;
	if (op->is_unknown) /* one that changes nothing is never needed */
		return op->value != value && counters_of(s, bits)[op->slot] < begun_of(op, end);
	return !has_bit(bits, op->slot);
}

static void place(struct reg_search *s, uint32_t node, uint32_t op)
{
	if (s->node_count == s->node_cap)
		grow_nodes(s);
	uint64_t *bits = s->bits + (size_t)s->node_count * s->words;
	memcpy(bits, s->bits + (size_t)node * s->words, s->words * sizeof *bits);
	if (s->ops[op].is_unknown)
		counters_of(s, bits)[s->ops[op].slot]++;
	else
		set_bit(bits, s->ops[op].slot);
	add_node(s, s->nodes[node].event, s->ops[op].value, node, op);
}

/* Tries what is under way; the last pushed is explored first, so the most promising comes last: what ends here, or what
 * writes the value that the read which ends here saw. */
static void expand(struct reg_search *s, uint32_t node)
{
	struct reg_event e = s->events[s->nodes[node].event];
	const struct reg_op *ending = &s->ops[e.op];
	uint32_t best = HISTORY_NONE;
	for (uint32_t i = e.open_count; i-- > 0;) {
		uint32_t at = s->open[e.open_at + i];
		const struct reg_op *op = &s->ops[at];
		if (!may_place(s, op, ending->end, s->nodes[node].value, s->bits + (size_t)node * s->words))
			continue;
		bool is_best =
		        at == e.op || (ending->f == HISTORY_READ && op->value == ending->value && !op->is_unknown);
		uint32_t other = is_best ? best : at;
		if (other != HISTORY_NONE)
			place(s, node, other);
		if (is_best)
			best = at;
	}
	if (best != HISTORY_NONE)
		place(s, node, best);
}

static bool is_over_memory(const struct reg_search *s)
{
	size_t per_node = sizeof *s->nodes + s->words * sizeof *s->bits + 3 * sizeof *s->buckets;
	return s->node_cap * per_node > s->c->options->memory_bytes_max;
}

static void begin_search(struct reg_search *s)
{
	s->node_count = 0;
	s->furthest = 0;
	s->furthest_node = HISTORY_NONE;
	grow_nodes(s);
	rehash(s, 1024);
	memset(s->bits, 0, s->words * sizeof *s->bits);
	add_node(s, 0, HISTORY_NIL, HISTORY_NONE, HISTORY_NONE);
}

static enum check_verdict search_depth_first(struct reg_search *s)
{
	begin_search(s);
	for (uint32_t steps = 1; s->stack_count; steps++) {
		uint32_t node = s->stack[--s->stack_count];
		if (s->nodes[node].event == s->event_count)
			return CHECK_VALID;
		expand(s, node);
		if (is_over_memory(s) || (steps % 1024 == 0 && check_out_of_time(s->c)))
			return CHECK_UNKNOWN;
	}
	return CHECK_INVALID;
}

/* Drops the nodes before an event whose turn it is: all others wait to be expanded. */
static void forget_before(struct reg_search *s, uint32_t event)
{
	uint32_t kept = 0;
	memset(s->heads, 0xff, (s->event_count + 1) * sizeof *s->heads);
	for (uint32_t i = 0; i < s->node_count; i++) {
		if (s->nodes[i].event < event)
			continue;
		if (s->furthest_node == i)
			s->furthest_node = kept;
		s->nodes[kept] = s->nodes[i];
		s->nodes[kept].parent = HISTORY_NONE;
		memmove(s->bits + (size_t)kept * s->words, s->bits + (size_t)i * s->words, s->words * sizeof *s->bits);
		push(s, kept++);
	}
	s->node_count = kept;
	rehash(s, s->bucket_mask + 1);
}

/* Slower where an order exists, but what lies behind is forgotten: for histories in which the search has to see
 * everything, because nothing fits. */
static enum check_verdict search_by_level(struct reg_search *s)
{
	s->heads = ARENA_ARRAY(&s->arena, uint32_t, s->event_count + 1);
	memset(s->heads, 0xff, (s->event_count + 1) * sizeof *s->heads);
	s->node_cap = 0; /* begin small again */
	begin_search(s);
	for (uint32_t event = 0, steps = 1; event < s->event_count; event++) {
		if (s->node_count > s->node_cap / 2 && s->furthest >= event)
			forget_before(s, event);
		while (s->heads[event] != HISTORY_NONE) {
			uint32_t node = s->heads[event];
			s->heads[event] = s->chain[node];
			expand(s, node);
			if (is_over_memory(s) || (steps++ % 1024 == 0 && check_out_of_time(s->c)))
				return CHECK_UNKNOWN;
		}
	}
	return s->heads[s->event_count] != HISTORY_NONE ? CHECK_VALID : CHECK_INVALID;
}

static enum check_verdict search(struct reg_search *s)
{
	enum check_verdict verdict = search_depth_first(s);
	return verdict == CHECK_UNKNOWN && !check_out_of_time(s->c) ? search_by_level(s) : verdict;
}

/* ---- the proof ---- */

enum { PROOF_OPS_MAX = 40 };

struct proof {
	const struct history_op *ops[PROOF_OPS_MAX];
	uint32_t count;
};

static void add_proof(struct proof *p, const struct history_op *op)
{
	for (uint32_t i = 0; i < p->count; i++)
		if (p->ops[i] == op)
			return;
	if (p->count < PROOF_OPS_MAX)
		p->ops[p->count++] = op;
}

static int by_begin(const void *a, const void *b)
{
	const struct history_op *x = *(const struct history_op *const *)a, *y = *(const struct history_op *const *)b;
	return op_begin(x) < op_begin(y) ? -1 : op_begin(x) > op_begin(y);
}

static void add_value(struct strbuf *out, int64_t value)
{
	if (value == HISTORY_NIL)
		strbuf_adds(out, "nothing");
	else
		strbuf_add_i64(out, value);
}

/* What the register can hold where the search ended, each value once. */
static void list_values(const struct reg_search *s, struct strbuf *out)
{
	struct arena a = ARENA_INIT;
	int64_t seen[8];
	uint32_t count = 0;
	for (uint32_t i = s->node_count; i-- > 0 && count < COUNT_OF(seen);) {
		bool is_new = s->nodes[i].event == s->furthest;
		for (uint32_t k = 0; is_new && k < count; k++)
			is_new = seen[k] != s->nodes[i].value;
		if (!is_new)
			continue;
		seen[count++] = s->nodes[i].value;
		strbuf_adds(out, count > 1 ? ", or " : "");
		add_value(out, s->nodes[i].value);
	}
	arena_release(&a);
}

/* The last effects on the best path, whoever wrote what the stuck operation saw, and all that was under way. */
static void report_stuck(struct reg_search *s, const char *key)
{
	const struct reg_event *e = &s->events[s->furthest];
	const struct reg_op *stuck = &s->ops[e->op];
	struct proof p = {.count = 0};
	uint32_t last = 0;
	int64_t saw = stuck->f == HISTORY_READ ? stuck->value : stuck->f == HISTORY_CAS ? stuck->expect : HISTORY_NIL;
	add_proof(&p, stuck->op);
	for (uint32_t n = s->furthest_node; n != HISTORY_NONE && last < 3; n = s->nodes[n].parent)
		if (s->nodes[n].placed != HISTORY_NONE) {
			const struct reg_op *op = &s->ops[s->nodes[n].placed];
			uint16_t spent = op->is_unknown ? counters_of(s, s->bits + (size_t)n * s->words)[op->slot] : 0;
			add_proof(&p, spent ? op->alike[spent - 1] : op->op);
			last++;
		}
	for (uint32_t i = 0; i < s->op_count && saw != HISTORY_NIL; i++)
		if (s->ops[i].f != HISTORY_READ && s->ops[i].value == saw && s->ops[i].begin < stuck->end)
			add_proof(&p, s->ops[i].op);
	for (uint32_t i = 0; i < e->open_count; i++)
		add_proof(&p, s->ops[s->open[e->open_at + i]].op);
	qsort(p.ops, p.count, sizeof(struct history_op *), by_begin);
	CLEANUP(cleanup_strbuf) struct strbuf values = STRBUF_INIT, what = STRBUF_INIT;
	list_values(s, &values);
	history_describe(s->c->history, stuck->op->complete, &what);
	check_find_ops(s->c, "not linearizable", p.ops, p.count,
	        "Register %s: the %" PRIu32 " operations that ended before record %" PRIu32
	        " can be ordered, and then it holds %s. Process %" PRId32 "'s %s cannot be placed in any order.",
	        key, s->furthest, stuck->op->complete, strbuf_cstr(&values),
	        s->c->history->records[stuck->op->complete].process, strbuf_cstr(&what));
	check_blame(s->c, stuck->op->complete);
}

/* ---- one key, all keys ---- */

static void check_key(struct check_context *c, const char *key, struct reg_op *ops, uint32_t count)
{
	struct reg_search s = {
	        .c = c, .ops = ops, .op_count = count, .furthest_node = HISTORY_NONE, .masks_of = HISTORY_NONE};
	bound_unknowns(&s);
	join_unknowns(&s);
	if (!make_events(&s)) {
		check_unknown(c, "register %s: too much is under way at once for the memory allowed", key);
	} else {
		s.writes = ARENA_ARRAY(&s.arena, uint64_t, s.bit_words);
		s.reads = ARENA_ARRAY(&s.arena, uint64_t, s.bit_words);
		switch (search(&s)) {
		case CHECK_VALID:
			break;
		case CHECK_INVALID:
			report_stuck(&s, key);
			break;
		case CHECK_UNKNOWN:
			check_unknown(c, "register %s: the budget ran out after %" PRIu32 " of %" PRIu32 " operations",
			        key, s.furthest, s.event_count);
		}
	}
	free(s.open);
	free(s.nodes);
	free(s.bits);
	free(s.stack);
	free(s.buckets);
	free(s.chain);
	arena_release(&s.arena);
}

void check_register(struct check_context *c)
{
	struct arena a = ARENA_INIT;
	size_t keys = c->history->key_count;
	uint32_t *counts = ARENA_ARRAY(&a, uint32_t, keys + 1), looked = 0;
	struct reg_op *all = ARENA_ARRAY(&a, struct reg_op, c->ops->count + 1), op;
	for (size_t i = 0; i < c->ops->count; i++)
		if (make_op(c, &c->ops->ops[i], &op)) {
			counts[c->history->records[op.begin].key_id]++;
			c->result->checked++;
		}
	uint32_t at = 0;
	for (size_t k = 0; k < keys; k++) { /* counts become places */
		uint32_t n = counts[k];
		counts[k] = at;
		at += n;
	}
	for (size_t i = 0; i < c->ops->count; i++)
		if (make_op(c, &c->ops->ops[i], &op))
			all[counts[c->history->records[op.begin].key_id]++] = op;
	for (size_t k = 0, begin = 0; k < keys; begin = counts[k++])
		if (counts[k] > begin) {
			check_key(c, c->history->keys[k], all + begin, (uint32_t)(counts[k] - begin));
			looked++;
		}
	check_looked_at(c, "%" PRIu32 " registers", looked);
	arena_release(&a);
}
