/* Revisions against real time: what a server says about the order of things must agree with what clients saw happen.
 *
 * A revision is given to one change of the store. So no two acknowledged changes have the same; a change that began
 * after another answer had come has a higher revision than that answer named; and a linearizable read that began after
 * an answer names no lower revision, and returns a value that is no older than the last acknowledged write of its key.
 * One value belongs to one modification revision of a key. All of it is sorting, so it is cheap, and catches at once
 * what a search has to work for. */
#include "jepsen/check_int.h"

#include <inttypes.h>
#include <stdlib.h>

struct seen {
	int64_t revision;
	const struct history_op *op;
	uint32_t key_id;
	int64_t value;
	bool is_write; /* an acknowledged change of this key, not a sight of it */
};

struct revisions {
	struct check_context *c;
	struct seen *changes; /* acknowledged writes */
	size_t change_count;
	struct seen *values; /* which value a key had at a modification revision, and who says so */
	size_t value_count;
	const struct history_op **of_record; /* the operation that a record ends or begins */
};

static bool has_write(const struct history_record *r)
{
	for (uint32_t i = 0; i < r->item_count; i++)
		if (r->items[i].f == HISTORY_APPEND || r->items[i].f == HISTORY_PUT || r->items[i].f == HISTORY_WRITE)
			return true;
	return false;
}

/* Whether the operation, once acknowledged, took a revision of its own. */
static bool is_change(const struct history_record *i, const struct history_record *o)
{
	switch (i->f) {
	case HISTORY_WRITE:
	case HISTORY_CAS:
	case HISTORY_ADD:
	case HISTORY_TRANSFER:
	case HISTORY_PUT:
	case HISTORY_CREATE:
	case HISTORY_UPDATE:
		return true;
	case HISTORY_TXN:
		return has_write(i) || has_write(o);
	default:
		return false;
	}
}

/* Whether the answer's revision is that of the store at some moment between the two records. */
static bool tells_revision(const struct history_record *i)
{
	return i->f != HISTORY_WATCH && i->f != HISTORY_WATCH_EVENT && i->f != HISTORY_WATCH_CANCEL &&
	       i->f != HISTORY_CACHE && i->f != HISTORY_COMPACT && i->f != HISTORY_ACQUIRE && i->f != HISTORY_RELEASE;
}

static int by_revision(const void *a, const void *b)
{
	const struct seen *x = a, *y = b;
	if (x->revision != y->revision)
		return x->revision < y->revision ? -1 : 1;
	return op_begin(x->op) < op_begin(y->op) ? -1 : op_begin(x->op) > op_begin(y->op);
}

static int by_key_and_revision(const void *a, const void *b)
{
	const struct seen *x = a, *y = b;
	if (x->key_id != y->key_id)
		return x->key_id < y->key_id ? -1 : 1;
	return by_revision(a, b);
}

static void collect(struct revisions *v, const struct history_op *op)
{
	const struct history_record *i = op_invoke(v->c, op), *o = op_complete(v->c, op);
	if (!i || op->type != HISTORY_OK)
		return;
	v->of_record[op->invoke] = op;
	v->of_record[op->complete] = op;
	bool changes = o->revision != HISTORY_NIL && is_change(i, o);
	bool is_plain = i->f == HISTORY_WRITE || i->f == HISTORY_CAS || i->f == HISTORY_PUT || i->f == HISTORY_CREATE ||
	                i->f == HISTORY_UPDATE;
	if (changes)
		v->changes[v->change_count++] = (struct seen){o->revision, op, i->key_id, i->value, true};
	if (changes && is_plain)
		v->values[v->value_count++] = (struct seen){o->revision, op, i->key_id, i->value, true};
	if (i->f == HISTORY_READ && o->mod_revision != HISTORY_NIL && o->mod_revision > 0 && o->value != HISTORY_NIL)
		v->values[v->value_count++] = (struct seen){o->mod_revision, op, i->key_id, o->value, false};
	v->c->result->checked++;
}

static void check_duplicates(struct revisions *v)
{
	qsort(v->changes, v->change_count, sizeof *v->changes, by_revision);
	for (size_t i = 1; i < v->change_count; i++) {
		const struct history_op *both[] = {v->changes[i - 1].op, v->changes[i].op};
		if (v->changes[i].revision == v->changes[i - 1].revision)
			check_find_ops(v->c, "revision given twice", both, 2,
			        "Two acknowledged changes have the revision %" PRId64 ".", v->changes[i].revision);
	}
}

static void check_values(struct revisions *v)
{
	qsort(v->values, v->value_count, sizeof *v->values, by_key_and_revision);
	for (size_t i = 1; i < v->value_count; i++) {
		const struct seen *a = &v->values[i - 1], *b = &v->values[i];
		const struct history_op *both[] = {a->op, b->op};
		if (a->key_id == b->key_id && a->revision == b->revision && a->value != b->value)
			check_find_ops(v->c, "two values at one revision", both, 2,
			        "Key %s at its modification revision %" PRId64 " was said to be %" PRId64
			        " and %" PRId64 ".",
			        v->c->history->keys[a->key_id], a->revision, a->value, b->value);
	}
}

/* The newest thing that was known when each operation began. */
struct known {
	int64_t revision;
	const struct history_op *op;
};

struct walk {
	struct known store;                          /* highest revision of an answer so far */
	struct known *keys;                          /* highest modification revision per key */
	struct known *at_begin_store, *at_begin_key; /* by record of the invocation */
};

static void check_end(struct revisions *v, struct walk *w, const struct history_op *op)
{
	const struct history_record *i = op_invoke(v->c, op), *o = op_complete(v->c, op);
	struct known before = w->at_begin_store[op->invoke], key_before = w->at_begin_key[op->invoke];
	const struct history_op *both[] = {before.op, op}, *key_both[] = {key_before.op, op};
	bool changes = is_change(i, o);
	if (o->revision != HISTORY_NIL && tells_revision(i)) {
		if (before.op && (o->revision < before.revision || (changes && o->revision == before.revision)))
			check_find_ops(v->c, "revision went back", both, 2,
			        "An answer named revision %" PRId64
			        "; a %s that began after it was answered with revision %" PRId64 ".",
			        before.revision, history_f_name((enum history_f)i->f), o->revision);
		if (!w->store.op || o->revision > w->store.revision)
			w->store = (struct known){o->revision, op};
	}
	int64_t mod = i->f == HISTORY_READ ? o->mod_revision : HISTORY_NIL;
	if (i->f == HISTORY_READ && mod != HISTORY_NIL && o->value != HISTORY_NIL && key_before.op &&
	        mod < key_before.revision)
		check_find_ops(v->c, "stale read", key_both, 2,
		        "Key %s was modified at revision %" PRId64
		        "; a read that began after that was known saw revision %" PRId64 ".",
		        i->key, key_before.revision, mod);
	if (changes && i->key_id)
		mod = o->revision;
	if (mod != HISTORY_NIL && (!w->keys[i->key_id].op || mod > w->keys[i->key_id].revision))
		w->keys[i->key_id] = (struct known){mod, op};
}

static void check_real_time(struct revisions *v, struct arena *a)
{
	struct walk w = {.keys = ARENA_ARRAY(a, struct known, v->c->history->key_count),
	        .at_begin_store = ARENA_ARRAY(a, struct known, v->c->history->count + 1),
	        .at_begin_key = ARENA_ARRAY(a, struct known, v->c->history->count + 1)};
	for (uint32_t r = 0; r < v->c->history->count; r++) {
		const struct history_op *op = v->of_record[r];
		if (!op)
			continue;
		if (r == op->invoke) {
			w.at_begin_store[r] = w.store;
			w.at_begin_key[r] = w.keys[v->c->history->records[r].key_id];
		} else {
			check_end(v, &w, op);
		}
	}
}

void check_revision(struct check_context *c)
{
	struct arena a = ARENA_INIT;
	struct revisions v = {.c = c,
	        .changes = ARENA_ARRAY(&a, struct seen, c->ops->count + 1),
	        .values = ARENA_ARRAY(&a, struct seen, 2 * c->ops->count + 1),
	        .of_record = ARENA_ARRAY(&a, const struct history_op *, c->history->count + 1)};
	for (size_t i = 0; i < c->ops->count; i++)
		collect(&v, &c->ops->ops[i]);
	check_duplicates(&v);
	check_values(&v);
	check_real_time(&v, &a);
	check_looked_at(c, "%zu acknowledged changes", v.change_count);
	arena_release(&a);
}
