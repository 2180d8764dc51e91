/* Banks: money moves between accounts and none is made or lost. In every read the balances add up to the total, every
 * account is there once, and none is below zero where that is forbidden. */
#include "jepsen/check_int.h"

#include <inttypes.h>

struct bank {
	struct check_context *c;
	int64_t total; /* HISTORY_NIL: that of the first read */
	uint32_t accounts;
	bool may_be_negative;
	uint32_t *read_of_key; /* number of the read that last held the account, from 1 */
	uint32_t reads;
	const struct history_op *first;
};

static void check_read(struct bank *b, const struct history_op *op)
{
	const struct history_record *o = op_complete(b->c, op);
	int64_t sum = 0;
	b->reads++;
	for (uint32_t i = 0; i < o->item_count; i++) {
		const struct history_item *it = &o->items[i];
		if (b->read_of_key[it->key_id] == b->reads)
			check_find_ops(b->c, "account read twice", &op, 1, "Account %s is in one read twice.", it->key);
		b->read_of_key[it->key_id] = b->reads;
		if (it->value == HISTORY_NIL)
			continue;
		sum += it->value;
		if (it->value < 0 && !b->may_be_negative)
			check_find_ops(
			        b->c, "negative balance", &op, 1, "Account %s holds %" PRId64 ".", it->key, it->value);
	}
	if (b->total == HISTORY_NIL)
		b->total = sum;
	if (!b->first) {
		b->first = op;
		b->accounts = o->item_count;
	}
	const struct history_op *both[] = {b->first, op};
	if (sum != b->total)
		check_find_ops(b->c, "wrong total", &op, 1,
		        "The accounts add up to %" PRId64 " instead of %" PRId64 ".", sum, b->total);
	else if (o->item_count != b->accounts)
		check_find_ops(b->c, "account missing", both, 2,
		        "One read has %" PRIu32 " accounts and another %" PRIu32 ".", b->accounts, o->item_count);
}

void check_bank(struct check_context *c)
{
	struct arena a = ARENA_INIT;
	const char *negative = history_get(c->history, "negative");
	struct bank b = {.c = c,
	        .total = history_get_int(c->history, "total", HISTORY_NIL),
	        .may_be_negative = negative && strcmp(negative, "allowed") == 0,
	        .read_of_key = ARENA_ARRAY(&a, uint32_t, c->history->key_count)};
	for (size_t i = 0; i < c->ops->count; i++) {
		const struct history_op *op = &c->ops->ops[i];
		const struct history_record *o = op_complete(c, op);
		c->result->checked++;
		if (o && o->f == HISTORY_READ && op->type == HISTORY_OK)
			check_read(&b, op);
	}
	if (!b.reads && c->ops->count)
		check_unknown(c, "the accounts were never read");
	check_looked_at(c, "%" PRIu32 " reads of all accounts", b.reads);
	arena_release(&a);
}
