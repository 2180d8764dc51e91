/* What Kubernetes asks of a store: compare-and-swap on the modification revision, lists that are one consistent cut
 * however many pages they took, and caches kept by list and watch that equal what a list would show.
 *
 * All of it is held against what is known of the keys (check_changes.h): the newest change of a key at or below the
 * revision of a list is what the list has to show. A delete of unknown outcome excuses an object that is absent. */
#include "jepsen/check_changes.h"

#include <inttypes.h>

/* A value that a compare-and-swap may have taken away and left nothing. */
struct taken {
	uint32_t key_id, begin;
	int64_t value;
};

struct kube {
	struct check_context *c;
	struct changes changes;
	struct arena arena;
	uint32_t *listed_in; /* by key id: the list that last held it, from 1 */
	uint32_t lists;
	struct taken *taken; /* in the order of their beginning */
	size_t taken_count;
};

/* ---- lists and caches ---- */

/* Kubernetes' API does not say at which revision it deleted: of a swap that left nothing only the value is known that
 * it took away. */
static bool may_be_swapped_away(const struct kube *k, const struct change *newest, uint32_t before)
{
	for (size_t i = 0; i < k->taken_count; i++)
		if (k->taken[i].key_id == newest->key_id && k->taken[i].value == newest->value)
			return k->taken[i].begin < before;
	return false;
}

static bool may_be_deleted(const struct kube *k, const struct change *newest, uint32_t before)
{
	return k->changes.unknown_delete[newest->key_id] < before || may_be_swapped_away(k, newest, before);
}

/* Values are unique, and who takes one away twice does it in vain the second time: the first to ask counts. */
static void collect_taken(struct kube *k)
{
	k->taken = ARENA_ARRAY(&k->arena, struct taken, k->c->ops->count + 1);
	for (size_t n = 0; n < k->c->ops->count; n++) {
		const struct history_op *op = &k->c->ops->ops[n];
		const struct history_record *i = op_first(k->c, op);
		if (i->f == HISTORY_CAS && i->value == HISTORY_NIL && op->type != HISTORY_FAIL)
			k->taken[k->taken_count++] = (struct taken){i->key_id, op_begin(op), i->expect};
	}
}

static void check_item(struct kube *k, const struct history_record *o, uint32_t record, uint32_t at)
{
	const struct history_item *it = &o->items[at];
	const struct change *newest = changes_newest(&k->changes, it->key_id, o->revision);
	if (k->listed_in[it->key_id] == k->lists)
		check_find(k->c, "listed twice", &record, 1, "Key %s is in one list twice.", it->key);
	else if (o->f == HISTORY_LIST && at && strcmp(o->items[at - 1].key, it->key) > 0)
		check_find(k->c, "list out of order", &record, 1, "Key %s comes behind key %s.", it->key,
		        o->items[at - 1].key);
	k->listed_in[it->key_id] = k->lists;
	if (it->mod_revision > o->revision)
		check_find(k->c, "object from the future", &record, 1,
		        "A list at revision %" PRId64 " shows key %s as of revision %" PRId64 ".", o->revision, it->key,
		        it->mod_revision);
	else if (newest && newest->revision > it->mod_revision)
		check_find(k->c, o->f == HISTORY_CACHE ? "cache differs" : "list is no cut",
		        (uint32_t[]){newest->record, record}, 2,
		        "A %s at revision %" PRId64 " shows key %s as of revision %" PRId64
		        "; it %s at revision %" PRId64 ".",
		        history_f_name((enum history_f)o->f), o->revision, it->key, it->mod_revision,
		        newest->value == HISTORY_NIL ? "was deleted" : "was changed", newest->revision);
	else if (newest && newest->value != it->value)
		check_find(k->c, o->f == HISTORY_CACHE ? "cache differs" : "list is no cut",
		        (uint32_t[]){newest->record, record}, 2,
		        "A %s shows key %s at revision %" PRId64 " as %" PRId64 ", and it was %" PRId64 " then.",
		        history_f_name((enum history_f)o->f), it->key, it->mod_revision, it->value, newest->value);
}

static void check_objects(struct kube *k, const struct history_record *o, uint32_t record, const char *prefix)
{
	size_t prefix_len = strlen(prefix);
	k->lists++;
	for (uint32_t i = 0; i < o->item_count; i++)
		check_item(k, o, record, i);
	for (uint32_t key = 1; key < k->c->history->key_count; key++) {
		const char *name = k->c->history->keys[key];
		if (k->listed_in[key] == k->lists || strncmp(name, prefix, prefix_len) != 0)
			continue;
		const struct change *newest = changes_newest(&k->changes, key, o->revision);
		if (!newest || newest->value == HISTORY_NIL || may_be_deleted(k, newest, record))
			continue;
		check_find(k->c, o->f == HISTORY_CACHE ? "cache differs" : "list is no cut",
		        (uint32_t[]){newest->record, record}, 2,
		        "A %s at revision %" PRId64 " does not show key %s, which was written at revision %" PRId64
		        " and not deleted since.",
		        history_f_name((enum history_f)o->f), o->revision, name, newest->revision);
	}
}

/* ---- compare-and-swap ---- */

static void check_swap(struct kube *k, const struct history_op *op)
{
	const struct history_record *i = op_invoke(k->c, op), *o = op_complete(k->c, op);
	const struct change *before = changes_newest(&k->changes, i->key_id, o->revision - 1);
	if (!before)
		return;
	uint32_t proof[] = {before->record, op->invoke, op->complete};
	if (i->f == HISTORY_CREATE) {
		if (before->value != HISTORY_NIL && !may_be_deleted(k, before, op->complete))
			check_find(k->c, "created over an object", proof, 3,
			        "Key %s was created at revision %" PRId64 ", and it was there since revision %" PRId64
			        ".",
			        i->key, o->revision, before->revision);
	} else if (i->expect != HISTORY_NIL && before->revision > i->expect) {
		check_find(k->c, "lost update", proof, 3,
		        "The %s of key %s at revision %" PRId64 " was conditional on revision %" PRId64
		        ", and the key was changed at %" PRId64 " in between.",
		        history_f_name((enum history_f)i->f), i->key, o->revision, i->expect, before->revision);
	}
}

void check_kube(struct check_context *c)
{
	struct kube k = {.c = c};
	uint32_t swaps = 0;
	changes_collect(c, &k.arena, &k.changes);
	collect_taken(&k);
	k.listed_in = ARENA_ARRAY(&k.arena, uint32_t, c->history->key_count);
	for (size_t n = 0; n < c->ops->count; n++) {
		const struct history_op *op = &c->ops->ops[n];
		const struct history_record *i = op_first(c, op), *o = op_complete(c, op);
		if (op->type != HISTORY_OK || o->revision == HISTORY_NIL)
			continue;
		if (i->f == HISTORY_LIST || i->f == HISTORY_CACHE) {
			check_objects(&k, o, op->complete, i->key);
		} else if (i->f == HISTORY_CREATE || i->f == HISTORY_UPDATE || i->f == HISTORY_DELETE) {
			check_swap(&k, op);
			swaps++;
		}
		c->result->checked++;
	}
	check_looked_at(c, "%" PRIu32 " swaps, %" PRIu32 " lists and caches", swaps, k.lists);
	arena_release(&k.arena);
}
