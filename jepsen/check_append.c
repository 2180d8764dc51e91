/* List-append transactions: strict serializability by cycles (Adya 1999; Kingsbury and Alvaro, Elle, 2020).
 *
 * Every append is of a value that is unique per key, so a list that was read tells the order of all the writes it
 * holds. The longest list read of a key is its version order; every other read must be a beginning of it. From it
 * follow the dependencies between transactions: ww  one appended right behind what the other had appended wr  one read
 * a list that ends with what the other had appended rw  one read a list that did not yet hold what the other appended
 * next and from the clients' clocks: process (one client did one after the other) and realtime (one ended before the
 * other began). A cycle of dependencies is a violation whose name says which edges it needs: G0 is ww alone, G1c has wr
 * too, G-single has one rw, G2 has more; "-process" and "-realtime" say that it takes those edges as well. An
 * acknowledged append that is in no list comes behind all that were read.
 *
 * Violations that need no cycle are found on the way: aborted reads (G1a), intermediate reads (G1b), duplicates,
 * incompatible orders, values from nowhere, and transactions that do not see their own writes. Where a list cannot be
 * trusted for an order, nothing more is inferred from it. */
#include "jepsen/check_append_int.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdlib.h>

/* ---- transactions and appends ---- */

const struct history_item *append_items(const struct append_check *x, const struct append_txn *t, uint32_t *count)
{
	const struct history_record *o = op_complete(x->c, t->op), *i = op_invoke(x->c, t->op);
	const struct history_record *r = o && t->op->type == HISTORY_OK && o->item_count ? o : i;
	*count = r->item_count;
	return r->items;
}

static int by_key_and_value(const void *a, const void *b)
{
	const struct append_write *x = a, *y = b;
	if (x->key_id != y->key_id)
		return x->key_id < y->key_id ? -1 : 1;
	return x->value < y->value ? -1 : x->value > y->value;
}

static void collect_txns(struct append_check *x)
{
	size_t appends = 0;
	for (size_t i = 0; i < x->c->ops->count; i++) {
		const struct history_op *op = &x->c->ops->ops[i];
		const struct history_record *r = op_invoke(x->c, op);
		if (!r || r->f != HISTORY_TXN)
			continue;
		x->txns[x->txn_count++] = (struct append_txn){.op = op};
		for (uint32_t k = 0; k < r->item_count; k++)
			appends += r->items[k].f == HISTORY_APPEND;
	}
	x->writes = ARENA_ARRAY(&x->arena, struct append_write, appends + 1);
	for (uint32_t t = 0; t < x->txn_count; t++) {
		const struct history_record *r = op_invoke(x->c, x->txns[t].op);
		for (uint32_t k = 0; k < r->item_count; k++) {
			const struct history_item *it = &r->items[k];
			bool is_last = true;
			for (uint32_t j = k + 1; j < r->item_count; j++)
				is_last &= !(r->items[j].f == HISTORY_APPEND && r->items[j].key_id == it->key_id);
			if (it->f == HISTORY_APPEND)
				x->writes[x->write_count++] = (struct append_write){
				        .key_id = it->key_id, .txn = t, .value = it->value, .is_last = is_last};
		}
	}
	qsort(x->writes, x->write_count, sizeof *x->writes, by_key_and_value);
}

struct append_write *append_find(const struct append_check *x, uint32_t key_id, int64_t value)
{
	struct append_write key = {.key_id = key_id, .value = value};
	return x->write_count ? bsearch(&key, x->writes, x->write_count, sizeof key, by_key_and_value) : NULL;
}

/* ---- reads, one by one ---- */

/* Whether what a transaction saw of a key agrees with what it had seen and done itself before. */
static void check_internal(struct append_check *x, uint32_t t, const struct history_item *items, uint32_t at)
{
	const struct history_item *read = &items[at];
	const int64_t *base = NULL;
	uint32_t base_count = 0, own = 0, k = at;
	bool has_base = false;
	for (k = at; k-- > 0 && !has_base;) {
		if (items[k].key_id != read->key_id)
			continue;
		if (items[k].f == HISTORY_APPEND) {
			own++;
			if (own > read->value_count || read->values[read->value_count - own] != items[k].value)
				goto differs;
		} else {
			base = items[k].values;
			base_count = items[k].value_count;
			has_base = true;
		}
	}
	if (!has_base || (base_count + own == read->value_count &&
	                         (!base_count || memcmp(base, read->values, base_count * sizeof *base) == 0)))
		return;
differs:
	check_find_ops(x->c, "internal", &x->txns[t].op, 1,
	        "A transaction read key %s and did not find what it had itself read or appended before.", read->key);
}

/* How many values at the end of a read are appends that the transaction made before it. */
static uint32_t own_tail(const struct history_item *items, uint32_t at)
{
	uint32_t own = 0;
	for (uint32_t k = 0; k < at; k++)
		own += items[k].f == HISTORY_APPEND && items[k].key_id == items[at].key_id;
	return own < items[at].value_count ? own : items[at].value_count;
}

static bool check_values(struct append_check *x, uint32_t t, const struct history_item *read)
{
	bool is_sound = true;
	const struct history_op *reader = x->txns[t].op;
	for (uint32_t i = 0; i < read->value_count; i++) {
		struct append_write *w = append_find(x, read->key_id, read->values[i]);
		if (!w) {
			check_find_ops(x->c, "value from nowhere", &reader, 1,
			        "Key %s was read with %" PRId64 ", which was never appended.", read->key,
			        read->values[i]);
			is_sound = false;
			continue;
		}
		const struct history_op *both[] = {x->txns[w->txn].op, reader};
		if (w->in_read == x->read_number) {
			check_find_ops(x->c, "duplicate element", both, 2,
			        "Key %s was read with %" PRId64 " in it twice.", read->key, read->values[i]);
			is_sound = false;
		}
		w->in_read = x->read_number;
		w->is_seen = true;
		if (x->txns[w->txn].op->type == HISTORY_FAIL && !w->is_told) {
			check_find_ops(x->c, "G1a", both, 2,
			        "Aborted read: key %s was read with %" PRId64
			        ", whose transaction surely did not happen.",
			        read->key, read->values[i]);
			w->is_told = true;
		}
	}
	return is_sound;
}

static void check_intermediate(struct append_check *x, uint32_t t, const struct history_item *read, uint32_t length)
{
	struct append_write *w = length ? append_find(x, read->key_id, read->values[length - 1]) : NULL;
	if (!w || w->is_last || w->txn == t)
		return;
	const struct history_op *both[] = {x->txns[w->txn].op, x->txns[t].op};
	check_find_ops(x->c, "G1b", both, 2,
	        "Intermediate read: key %s was read up to %" PRId64
	        ", after which the same transaction appended more to it.",
	        read->key, w->value);
}

/* The reads of one transaction, checked alone; the longest of each key is kept. */
static void look_at_reads(struct append_check *x, uint32_t t)
{
	uint32_t count;
	const struct history_item *items = append_items(x, &x->txns[t], &count);
	for (uint32_t i = 0; i < count; i++) {
		if (items[i].f != HISTORY_READ)
			continue;
		x->read_number++;
		check_internal(x, t, items, i);
		bool is_sound = check_values(x, t, &items[i]);
		check_intermediate(x, t, &items[i], items[i].value_count);
		struct append_key *k = &x->keys[items[i].key_id];
		if (!is_sound)
			continue;
		if (!k->is_read || items[i].value_count > k->count) {
			k->order = items[i].values;
			k->count = items[i].value_count;
			k->read_by = t;
		}
		k->is_read = true;
	}
}

/* ---- dependencies ---- */

static void add_edge(struct append_check *x, uint32_t from, uint32_t to, uint32_t kind, uint32_t key_id, int64_t value)
{
	graph_add(&x->graph, (struct graph_edge){from, to, kind, key_id, value});
}

static uint32_t writer_at(struct append_check *x, uint32_t key_id, uint32_t at)
{
	const struct append_write *w = append_find(x, key_id, x->keys[key_id].order[at]);
	return w->txn;
}

static void add_read_edges(struct append_check *x, uint32_t t, const struct history_item *read, uint32_t length)
{
	const struct append_key *k = &x->keys[read->key_id];
	if (length > k->count || (length && memcmp(k->order, read->values, length * sizeof *k->order) != 0)) {
		const struct history_op *both[] = {x->txns[k->read_by].op, x->txns[t].op};
		if (read->value_count && k->read_by != t)
			check_find_ops(x->c, "incompatible order", both, 2,
			        "Key %s was read in two ways of which neither is a beginning of the other.", read->key);
		return;
	}
	if (length)
		add_edge(x, writer_at(x, read->key_id, length - 1), t, APPEND_WR, read->key_id, k->order[length - 1]);
	if (length < k->count) {
		add_edge(x, t, writer_at(x, read->key_id, length), APPEND_RW, read->key_id, k->order[length]);
		return;
	}
	/* It read all that anyone read: what is in no list came after. */
	for (size_t i = k->unseen_at; i < k->unseen_at + k->unseen_count; i++)
		add_edge(x, t, x->unseen[i]->txn, APPEND_RW, read->key_id, x->unseen[i]->value);
}

static void add_data_edges(struct append_check *x)
{
	for (uint32_t key = 0; key < x->c->history->key_count; key++) {
		const struct append_key *k = &x->keys[key];
		for (uint32_t i = 1; i < k->count; i++)
			add_edge(x, writer_at(x, key, i - 1), writer_at(x, key, i), APPEND_WW, key, k->order[i]);
		for (size_t i = k->unseen_at; k->count && i < k->unseen_at + k->unseen_count; i++)
			add_edge(x, writer_at(x, key, k->count - 1), x->unseen[i]->txn, APPEND_WW, key,
			        x->unseen[i]->value);
	}
	for (uint32_t t = 0; t < x->txn_count; t++) {
		uint32_t count = 0;
		const struct history_item *items = append_items(x, &x->txns[t], &count);
		for (uint32_t i = 0; x->txns[t].op->type == HISTORY_OK && i < count; i++)
			if (items[i].f == HISTORY_READ && x->keys[items[i].key_id].is_read)
				add_read_edges(x, t, &items[i], items[i].value_count - own_tail(items, i));
	}
}

/* Acknowledged appends that are in no list, together per key. */
static void collect_unseen(struct append_check *x)
{
	size_t count = 0;
	x->unseen = ARENA_ARRAY(&x->arena, const struct append_write *, x->write_count + 1);
	for (size_t i = 0; i < x->write_count; i++) {
		const struct append_write *w = &x->writes[i];
		if (w->is_seen || x->txns[w->txn].op->type != HISTORY_OK)
			continue;
		struct append_key *k = &x->keys[w->key_id];
		if (!k->unseen_count++)
			k->unseen_at = count;
		x->unseen[count++] = w;
	}
}

/* Real time, reduced: an edge from everything that had ended when a transaction began, unless something that began
 * after that had ended too. */
struct frontier {
	uint32_t *txns;
	uint32_t count;
};

static void end_txn(struct append_check *x, struct frontier *f, uint32_t t)
{
	uint32_t kept = 0;
	for (uint32_t i = 0; i < f->count; i++)
		if (op_end(x->txns[f->txns[i]].op) > op_begin(x->txns[t].op))
			f->txns[kept++] = f->txns[i];
	f->count = kept;
	f->txns[f->count++] = t;
}

static void add_time_edges(struct append_check *x)
{
	size_t records = x->c->history->count;
	uint32_t *by_record = ARENA_ARRAY(&x->arena, uint32_t, records + 1);
	struct frontier f = {.txns = ARENA_ARRAY(&x->arena, uint32_t, x->txn_count + 1)};
	for (uint32_t t = 0; t < x->txn_count; t++) {
		const struct history_op *op = x->txns[t].op;
		if (op->type == HISTORY_FAIL)
			continue;
		by_record[op->invoke] = t + 1;
		if (op_end(op) != HISTORY_NONE)
			by_record[op->complete] = t + 1;
	}
	for (uint32_t r = 0; r < records; r++) {
		if (!by_record[r])
			continue;
		uint32_t t = by_record[r] - 1;
		if (r != x->txns[t].op->invoke) {
			end_txn(x, &f, t);
			continue;
		}
		for (uint32_t i = 0; i < f.count; i++) {
			bool same = x->c->history->records[x->txns[f.txns[i]].op->invoke].process ==
			            x->c->history->records[r].process;
			add_edge(x, f.txns[i], t, same ? APPEND_PROCESS : APPEND_REALTIME, 0, 0);
		}
	}
}

/* ---- all ---- */

static bool has_duplicate_appends(struct append_check *x)
{
	for (size_t i = 1; i < x->write_count; i++)
		if (by_key_and_value(&x->writes[i - 1], &x->writes[i]) == 0) {
			check_unknown(x->c,
			        "%" PRId64 " was appended to %s by two transactions: the history decides nothing",
			        x->writes[i].value, x->c->history->keys[x->writes[i].key_id]);
			return true;
		}
	return false;
}

void check_append(struct check_context *c)
{
	struct append_check x = {.c = c};
	x.txns = ARENA_ARRAY(&x.arena, struct append_txn, c->ops->count + 1);
	x.keys = ARENA_ARRAY(&x.arena, struct append_key, c->history->key_count);
	collect_txns(&x);
	c->result->checked = x.txn_count;
	if (!has_duplicate_appends(&x)) {
		for (uint32_t t = 0; t < x.txn_count; t++)
			if (x.txns[t].op->type == HISTORY_OK)
				look_at_reads(&x, t);
		collect_unseen(&x);
		graph_init(&x.graph, x.txn_count);
		add_data_edges(&x);
		add_time_edges(&x);
		graph_index(&x.graph);
		append_find_cycles(&x);
		check_looked_at(
		        c, "%" PRIu32 " transactions, %" PRIu32 " dependencies", x.txn_count, x.graph.edge_count);
		graph_release(&x.graph);
	}
	arena_release(&x.arena);
}
