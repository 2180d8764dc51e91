/* Where changes come from: whatever became of a key, somebody asked for it, it happened no more often than it was asked
 * for, no request did it that was answered with "surely not", and all who saw it saw the same.
 *
 * This needs modification revisions and values that tell writes apart; then it finds changes that are applied twice,
 * and entries that come back from the dead, where a history of plain reads may look innocent. Deletes count like writes
 * of nothing. */
#include "jepsen/check_changes.h"

#include <inttypes.h>
#include <stdlib.h>

struct attempt {
	uint32_t key_id;
	int64_t value; /* HISTORY_NIL: delete */
	const struct history_op *op;
};

struct origin {
	struct check_context *c;
	struct arena arena;
	struct changes changes;
	struct attempt *attempts; /* by key and value, those that surely failed last */
	size_t attempt_count;
};

/* ---- what was asked for ---- */

static bool is_failed(const struct attempt *a)
{
	return a->op->type == HISTORY_FAIL;
}

static int by_key_and_value(const void *a, const void *b)
{
	const struct attempt *x = a, *y = b;
	if (x->key_id != y->key_id)
		return x->key_id < y->key_id ? -1 : 1;
	if (x->value != y->value)
		return x->value < y->value ? -1 : 1;
	return is_failed(x) - is_failed(y);
}

static bool asks_for_change(const struct history_record *r)
{
	return r->f == HISTORY_WRITE || r->f == HISTORY_CAS || r->f == HISTORY_PUT || r->f == HISTORY_CREATE ||
	       r->f == HISTORY_UPDATE || r->f == HISTORY_DELETE;
}

static void collect_attempts(struct origin *g)
{
	size_t room = 1;
	for (size_t i = 0; i < g->c->ops->count; i++)
		room += 1 + op_first(g->c, &g->c->ops->ops[i])->item_count;
	g->attempts = ARENA_ARRAY(&g->arena, struct attempt, room);
	for (size_t i = 0; i < g->c->ops->count; i++) {
		const struct history_op *op = &g->c->ops->ops[i];
		const struct history_record *r = op_invoke(g->c, op);
		if (r && asks_for_change(r))
			g->attempts[g->attempt_count++] =
			        (struct attempt){r->key_id, r->f == HISTORY_DELETE ? HISTORY_NIL : r->value, op};
		for (uint32_t k = 0; r && r->f == HISTORY_TXN && k < r->item_count; k++) {
			const struct history_item *it = &r->items[k];
			if (it->f == HISTORY_PUT || it->f == HISTORY_DELETE)
				g->attempts[g->attempt_count++] = (struct attempt){
				        it->key_id, it->f == HISTORY_DELETE ? HISTORY_NIL : it->value, op};
		}
	}
	qsort(g->attempts, g->attempt_count, sizeof *g->attempts, by_key_and_value);
}

/* The attempts at one value of one key: the first, and how many of them may have happened. */
static const struct attempt *find_attempts(
        const struct origin *g, uint32_t key_id, int64_t value, size_t *ret_possible, size_t *ret_count)
{
	size_t lo = 0, hi = g->attempt_count;
	*ret_possible = *ret_count = 0;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		const struct attempt *a = &g->attempts[mid];
		if (a->key_id < key_id || (a->key_id == key_id && a->value < value))
			lo = mid + 1;
		else
			hi = mid;
	}
	for (size_t i = lo; i < g->attempt_count && g->attempts[i].key_id == key_id && g->attempts[i].value == value;
	        i++) {
		++*ret_count;
		*ret_possible += !is_failed(&g->attempts[i]);
	}
	return &g->attempts[lo];
}

/* ---- what became of it ---- */

/* `first` to `last` are the changes of one key to one value, by revision. */
static void check_value(struct origin *g, const struct change *first, size_t changes)
{
	size_t possible, count;
	const char *key = g->c->history->keys[first->key_id];
	const struct attempt *a = find_attempts(g, first->key_id, first->value, &possible, &count);
	const struct change *last = &first[changes - 1];
	if (!count)
		check_find(g->c, "change from nowhere", &first->record, 1,
		        "Key %s at revision %" PRId64 " became what nobody asked for.", key, first->revision);
	else if (!possible)
		check_find(g->c, "failed write was seen", (uint32_t[]){a->op->invoke, a->op->complete, first->record},
		        3,
		        "Key %s at revision %" PRId64
		        " became what was asked for by a request whose answer says that it surely did not happen.",
		        key, first->revision);
	else if (changes > possible)
		check_find(g->c, "happened too often", (uint32_t[]){a->op->invoke, first->record, last->record}, 3,
		        "Key %s was %s at %zu revisions, among them %" PRId64 " and %" PRId64
		        ", and that was asked for %zu times.",
		        key, first->value == HISTORY_NIL ? "deleted" : "given one value", changes, first->revision,
		        last->revision, possible);
}

static int by_key_value_and_revision(const void *a, const void *b)
{
	const struct change *x = a, *y = b;
	if (x->key_id != y->key_id)
		return x->key_id < y->key_id ? -1 : 1;
	if (x->value != y->value)
		return x->value < y->value ? -1 : 1;
	return x->revision < y->revision ? -1 : x->revision > y->revision;
}

void check_origin(struct check_context *c)
{
	struct origin g = {.c = c};
	changes_collect(c, &g.arena, &g.changes);
	collect_attempts(&g);
	struct change *list = g.changes.by_key;
	size_t count = g.changes.count;
	for (size_t i = 0; i < count; i++)
		if (list[i].other_record != HISTORY_NONE)
			check_find(c, "told in two ways", (uint32_t[]){list[i].record, list[i].other_record}, 2,
			        "What key %s became at revision %" PRId64 " was told in two ways.",
			        c->history->keys[list[i].key_id], list[i].revision);
	qsort(list, count, sizeof *list, by_key_value_and_revision); /* nothing looks keys up any more */
	for (size_t i = 0, end; i < count; i = end) {
		for (end = i + 1; end < count && list[end].key_id == list[i].key_id && list[end].value == list[i].value;
		        end++)
			;
		check_value(&g, &list[i], end - i);
	}
	c->result->checked = (int64_t)count;
	check_looked_at(c, "%zu changes, %zu requests for them", count, g.attempt_count);
	arena_release(&g.arena);
}
