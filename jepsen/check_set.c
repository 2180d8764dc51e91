/* Sets: elements are added, the whole set is read. An element whose add was acknowledged before a read began must be in
 * what the read saw; what was never added, or surely not, must not; nothing may be there twice.
 *
 * A missing element that a later read sees was read stale; one that no later read sees is lost. An element that is seen
 * before its add began is a phantom. Each element is reported once per kind. */
#include "jepsen/check_int.h"

#include <inttypes.h>
#include <stdlib.h>

enum { TOLD_LOST = 1, TOLD_STALE = 2, TOLD_FAILED = 4, TOLD_PHANTOM = 8, TOLD_TWICE = 16 };

struct element {
	int64_t value;
	const struct history_op *add;
	const struct history_op *missed_by; /* the first read that should have seen it and did not */
	const struct history_op *seen_by;   /* the last read that saw it */
	uint32_t in_read;                   /* number of the read that last held it, from 1 */
	uint8_t told;
};

struct set {
	struct check_context *c;
	uint32_t key_id;
	struct element *elements; /* by value */
	size_t count;
};

static int by_value(const void *a, const void *b)
{
	const struct element *x = a, *y = b;
	return x->value < y->value ? -1 : x->value > y->value;
}

static struct element *element_of(struct set *s, int64_t value)
{
	struct element key = {.value = value};
	return s->count ? bsearch(&key, s->elements, s->count, sizeof key, by_value) : NULL;
}

static bool is_told(struct element *e, uint8_t what)
{
	bool was = (e->told & what) != 0;
	e->told |= what;
	return was;
}

static void see(struct set *s, const struct history_op *read, uint32_t number, int64_t value)
{
	struct element *e = element_of(s, value);
	if (!e) {
		check_find_ops(s->c, "unexpected element", &read, 1, "%" PRId64 " was read and never added.", value);
		return;
	}
	const struct history_op *both[] = {e->add, read};
	if (e->in_read == number && !is_told(e, TOLD_TWICE))
		check_find_ops(s->c, "duplicate element", both, 2, "%" PRId64 " is in one read more than once.", value);
	if (e->add->type == HISTORY_FAIL && !is_told(e, TOLD_FAILED))
		check_find_ops(s->c, "failed add was read", both, 2,
		        "%" PRId64 " was read, and its add was answered with an error that says it did not happen.",
		        value);
	if (op_end(read) < op_begin(e->add) && !is_told(e, TOLD_PHANTOM))
		check_find_ops(s->c, "phantom element", both, 2, "%" PRId64 " was read before its add began.", value);
	e->in_read = number;
	e->seen_by = read;
}

static void check_read(struct set *s, const struct history_op *read, uint32_t number)
{
	const struct history_record *o = op_complete(s->c, read);
	for (uint32_t i = 0; i < o->value_count; i++)
		see(s, read, number, o->values[i]);
	for (size_t i = 0; i < s->count; i++) {
		struct element *e = &s->elements[i];
		if (e->in_read == number)
			continue;
		bool was_there = e->add->type == HISTORY_OK && op_end(e->add) < op_begin(read);
		/* What one read saw stays there for those that begin after it. */
		was_there |= e->seen_by && op_end(e->seen_by) < op_begin(read);
		if (was_there && (!e->missed_by || e->seen_by))
			e->missed_by = read;
	}
}

static void report_missing(struct set *s)
{
	for (size_t i = 0; i < s->count; i++) {
		struct element *e = &s->elements[i];
		if (!e->missed_by)
			continue;
		const struct history_op *proof[] = {e->add, e->missed_by, e->seen_by};
		bool comes_back = e->seen_by && op_begin(e->seen_by) > op_begin(e->missed_by);
		if (comes_back)
			check_find_ops(s->c, "stale read", proof, 3,
			        "%" PRId64 " was there when a read began that did not see it; a later read does.",
			        e->value);
		else
			check_find_ops(s->c, "lost element", proof, e->seen_by ? 3 : 2,
			        "%" PRId64 " %s, and from some moment on no read sees it.", e->value,
			        e->add->type == HISTORY_OK ? "was acknowledged" : "had been read");
	}
}

static void check_one_set(struct set *s)
{
	uint32_t reads = 0;
	s->count = 0;
	for (size_t i = 0; i < s->c->ops->count; i++) {
		const struct history_op *op = &s->c->ops->ops[i];
		const struct history_record *r = op_invoke(s->c, op);
		if (r && r->f == HISTORY_ADD && r->key_id == s->key_id)
			s->elements[s->count++] = (struct element){.value = r->value, .add = op};
	}
	qsort(s->elements, s->count, sizeof *s->elements, by_value);
	for (size_t i = 0; i < s->c->ops->count; i++) {
		const struct history_op *op = &s->c->ops->ops[i];
		const struct history_record *r = op_invoke(s->c, op);
		if (r && r->f == HISTORY_READ && op->type == HISTORY_OK && r->key_id == s->key_id)
			check_read(s, op, ++reads);
	}
	report_missing(s);
	s->c->result->checked += (int64_t)s->count + reads;
	if (!reads && s->count)
		check_unknown(s->c, "set %s was never read", s->c->history->keys[s->key_id]);
}

void check_set(struct check_context *c)
{
	struct arena a = ARENA_INIT;
	struct set s = {.c = c, .elements = ARENA_ARRAY(&a, struct element, c->ops->count + 1)};
	for (size_t k = 0; k < c->history->key_count; k++) {
		s.key_id = (uint32_t)k;
		check_one_set(&s);
	}
	check_looked_at(c, "%" PRId64 " adds and reads", c->result->checked);
	arena_release(&a);
}
