/* The table of changes. See check_changes.h. */
#include "jepsen/check_changes.h"

#include <stdlib.h>

struct collector {
	struct check_context *c;
	struct changes *to;
	size_t cap;
};

static void add(
        struct collector *k, uint32_t key_id, int64_t revision, int64_t value, uint32_t record, bool acknowledged)
{
	if (revision == HISTORY_NIL || revision <= 0)
		return;
	if (k->to->count == k->cap) {
		k->cap = k->cap ? 2 * k->cap : 1024;
		k->to->by_revision = xrealloc(k->to->by_revision, k->cap * sizeof *k->to->by_revision);
	}
	k->to->by_revision[k->to->count++] = (struct change){.revision = revision,
	        .value = value,
	        .key_id = key_id,
	        .record = record,
	        .other_record = HISTORY_NONE,
	        .is_acknowledged = acknowledged};
}

/* Deletes in a transaction count only when the answer says that something was deleted: otherwise there is no change. */
static void add_txn(struct collector *k, const struct history_op *op)
{
	const struct history_record *i = op_invoke(k->c, op), *o = op_complete(k->c, op);
	const struct history_record *r = o->item_count ? o : i;
	for (uint32_t n = 0; n < r->item_count; n++) {
		const struct history_item *it = &r->items[n];
		if (it->f == HISTORY_PUT)
			add(k, it->key_id, o->revision, it->value, op->complete, true);
		else if (it->f == HISTORY_DELETE && r == o && it->value != HISTORY_NIL && it->value > 0)
			add(k, it->key_id, o->revision, HISTORY_NIL, op->complete, true);
	}
}

static void add_objects(struct collector *k, const struct history_record *o, uint32_t record)
{
	for (uint32_t n = 0; n < o->item_count; n++) {
		const struct history_item *it = &o->items[n];
		bool is_delete = o->f == HISTORY_WATCH_EVENT && it->f == HISTORY_DELETE;
		add(k, it->key_id, it->mod_revision, is_delete ? HISTORY_NIL : it->value, record, false);
	}
}

static void add_op(struct collector *k, const struct history_op *op)
{
	const struct history_record *i = op_first(k->c, op), *o = op_complete(k->c, op);
	if (i->f == HISTORY_DELETE && op->type == HISTORY_INFO && k->to->unknown_delete[i->key_id] > op_begin(op))
		k->to->unknown_delete[i->key_id] = op_begin(op);
	for (uint32_t n = 0; i->f == HISTORY_TXN && op->type == HISTORY_INFO && n < i->item_count; n++)
		if (i->items[n].f == HISTORY_DELETE && k->to->unknown_delete[i->items[n].key_id] > op_begin(op))
			k->to->unknown_delete[i->items[n].key_id] = op_begin(op);
	if (op->type != HISTORY_OK)
		return;
	switch (i->f) {
	case HISTORY_PUT:
	case HISTORY_WRITE:
	case HISTORY_CAS:
	case HISTORY_CREATE:
	case HISTORY_UPDATE:
		add(k, i->key_id, o->revision, i->value, op->complete, true);
		break;
	case HISTORY_DELETE:
		if (o->value != 0)
			add(k, i->key_id, o->revision, HISTORY_NIL, op->complete, true);
		break;
	case HISTORY_READ:
		if (o->value != HISTORY_NIL)
			add(k, i->key_id, o->mod_revision, o->value, op->complete, false);
		break;
	case HISTORY_TXN:
		add_txn(k, op);
		break;
	case HISTORY_WATCH_EVENT:
	case HISTORY_LIST:
	case HISTORY_CACHE:
		add_objects(k, o, op->complete);
		break;
	default:
		break;
	}
}

static int by_record(const struct change *x, const struct change *y)
{
	if (x->is_acknowledged != y->is_acknowledged)
		return x->is_acknowledged ? -1 : 1;
	return x->record < y->record ? -1 : x->record > y->record;
}

static int by_revision(const void *a, const void *b)
{
	const struct change *x = a, *y = b;
	if (x->revision != y->revision)
		return x->revision < y->revision ? -1 : 1;
	if (x->key_id != y->key_id)
		return x->key_id < y->key_id ? -1 : 1;
	return by_record(x, y);
}

static int by_key(const void *a, const void *b)
{
	const struct change *x = a, *y = b;
	if (x->key_id != y->key_id)
		return x->key_id < y->key_id ? -1 : 1;
	return x->revision < y->revision ? -1 : x->revision > y->revision;
}

/* One entry per key and revision, which keeps the first that disagrees with it. */
static void merge(struct changes *s)
{
	size_t kept = 0;
	for (size_t i = 0; i < s->count; i++) {
		struct change *e = &s->by_revision[i], *last = kept ? &s->by_revision[kept - 1] : NULL;
		if (!last || last->revision != e->revision || last->key_id != e->key_id)
			s->by_revision[kept++] = *e;
		else if (last->value != e->value && last->other_record == HISTORY_NONE)
			last->other_record = e->record;
	}
	s->count = kept;
}

static void free_it(void *p)
{
	free(p);
}

void changes_collect(struct check_context *c, struct arena *a, struct changes *ret)
{
	size_t keys = c->history->key_count;
	*ret = (struct changes){.unknown_delete = ARENA_ARRAY(a, uint32_t, keys)};
	for (size_t i = 0; i < keys; i++)
		ret->unknown_delete[i] = HISTORY_NONE;
	struct collector k = {.c = c, .to = ret};
	for (size_t i = 0; i < c->ops->count; i++)
		add_op(&k, &c->ops->ops[i]);
	if (ret->count)
		qsort(ret->by_revision, ret->count, sizeof *ret->by_revision, by_revision);
	merge(ret);
	arena_on_release(a, free_it, ret->by_revision);
	ret->by_key = ARENA_ARRAY(a, struct change, ret->count + 1);
	if (ret->count) {
		memcpy(ret->by_key, ret->by_revision, ret->count * sizeof *ret->by_key);
		qsort(ret->by_key, ret->count, sizeof *ret->by_key, by_key);
	}
	ret->key_at = ARENA_ARRAY(a, size_t, keys + 1);
	for (size_t i = 0; i < ret->count; i++)
		ret->key_at[ret->by_key[i].key_id + 1]++;
	for (size_t i = 0; i < keys; i++)
		ret->key_at[i + 1] += ret->key_at[i];
}

size_t changes_seek(const struct changes *s, int64_t revision)
{
	size_t lo = 0, hi = s->count;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		if (s->by_revision[mid].revision < revision)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

const struct change *changes_newest(const struct changes *s, uint32_t key_id, int64_t revision)
{
	size_t begin = s->key_at[key_id], lo = begin, hi = s->key_at[key_id + 1];
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		if (s->by_key[mid].revision <= revision)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo > begin ? &s->by_key[lo - 1] : NULL;
}
