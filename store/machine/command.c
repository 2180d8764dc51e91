/* See command.h. What goes wrong is only broken bytes: they passed two checksums, so the engine takes them for
 * damage; the fuzzer does not. */
#include "store/machine/command.h"

#include "base/check.h"
#include "base/limits.h"

#include <inttypes.h>

enum { DEPTH_MAX = 16 };
_Static_assert(DEPTH_MAX >= STORE_TXN_DEPTH_MAX, "what is accepted can be read from the log");

/* ---- primitives ---- */

void command_put(struct strbuf *b, uint64_t v)
{
	unsigned char bytes[10];
	size_t n = 0;
	for (; v >= 0x80; v >>= 7)
		bytes[n++] = (unsigned char)(v | 0x80);
	bytes[n++] = (unsigned char)v;
	strbuf_add(b, bytes, n);
}

void command_put_bytes(struct strbuf *b, struct slice s)
{
	command_put(b, s.len);
	strbuf_add_slice(b, s);
}

uint64_t command_get(struct command_reader *r)
{
	uint64_t v = 0;
	for (size_t i = 0; i < r->rest.len && i < 10; i++) {
		unsigned char c = (unsigned char)r->rest.ptr[i];
		if (i == 9 && c > 1)
			break;
		v |= (uint64_t)(c & 0x7f) << (7 * i);
		if (c & 0x80)
			continue;
		r->rest.ptr += i + 1;
		r->rest.len -= i + 1;
		return v;
	}
	r->is_bad = true;
	r->rest = SLICE_NULL;
	return 0;
}

struct slice command_get_bytes(struct command_reader *r)
{
	uint64_t len = command_get(r);
	if (r->is_bad || len > r->rest.len) {
		r->is_bad = true;
		r->rest = SLICE_NULL;
		return SLICE("");
	}
	struct slice s = {r->rest.ptr ? r->rest.ptr : "", (size_t)len};
	r->rest.ptr += len;
	r->rest.len -= (size_t)len;
	return s;
}

/* Signed numbers are small and positive nearly always: as they are, in two's complement. */
static int64_t get_i64(struct command_reader *r)
{
	return (int64_t)command_get(r);
}

/* How many elements follow: each takes a byte at least. */
static size_t get_count(struct command_reader *r)
{
	uint64_t n = command_get(r);
	if (n > r->rest.len) {
		r->is_bad = true;
		return 0;
	}
	return (size_t)n;
}

/* ---- operations ---- */

static void put_keys(struct strbuf *b, const struct store_key_range *k)
{
	command_put_bytes(b, k->key);
	command_put_bytes(b, k->end);
}

static struct store_key_range get_keys(struct command_reader *r)
{
	struct store_key_range k;
	k.key = command_get_bytes(r);
	k.end = command_get_bytes(r);
	return k;
}

static void put_range(struct strbuf *b, const struct store_range *o)
{
	put_keys(b, &o->keys);
	command_put(b, (uint64_t)o->limit);
	command_put(b, (uint64_t)o->revision);
	command_put(b, (uint64_t)o->sort);
	command_put(b, (uint64_t)o->sort_target);
	command_put(b, (uint64_t)(o->keys_only | o->count_only << 1 | o->no_count << 2 | o->serializable << 3));
	command_put(b, (uint64_t)o->min_mod_revision);
	command_put(b, (uint64_t)o->max_mod_revision);
	command_put(b, (uint64_t)o->min_create_revision);
	command_put(b, (uint64_t)o->max_create_revision);
}

static void get_range(struct command_reader *r, struct store_range *o)
{
	o->keys = get_keys(r);
	o->limit = get_i64(r);
	o->revision = get_i64(r);
	uint64_t sort = command_get(r), target = command_get(r), bits = command_get(r);
	r->is_bad |= sort > STORE_SORT_DESCEND || target > STORE_TARGET_VALUE || bits > 15;
	o->sort = (enum store_sort)sort;
	o->sort_target = (enum store_target)target;
	o->keys_only = bits & 1;
	o->count_only = bits & 2;
	o->no_count = bits & 4;
	o->serializable = bits & 8;
	o->min_mod_revision = get_i64(r);
	o->max_mod_revision = get_i64(r);
	o->min_create_revision = get_i64(r);
	o->max_create_revision = get_i64(r);
}

static void put_put(struct strbuf *b, const struct store_put *o)
{
	command_put_bytes(b, o->key);
	command_put_bytes(b, o->value);
	command_put(b, (uint64_t)o->lease);
	command_put(b, (uint64_t)(o->prev_kv | o->ignore_value << 1 | o->ignore_lease << 2));
}

static void get_put(struct command_reader *r, struct store_put *o)
{
	o->key = command_get_bytes(r);
	o->value = command_get_bytes(r);
	o->lease = get_i64(r);
	uint64_t bits = command_get(r);
	r->is_bad |= bits > 7;
	o->prev_kv = bits & 1;
	o->ignore_value = bits & 2;
	o->ignore_lease = bits & 4;
}

static void put_compare(struct strbuf *b, const struct store_compare *c)
{
	put_keys(b, &c->keys);
	command_put(b, (uint64_t)c->target);
	command_put(b, (uint64_t)c->result);
	command_put(b, (uint64_t)c->number);
	command_put_bytes(b, c->value);
}

static void get_compare(struct command_reader *r, struct store_compare *c)
{
	c->keys = get_keys(r);
	uint64_t target = command_get(r), result = command_get(r);
	r->is_bad |= target > STORE_TARGET_LEASE || result > STORE_NOT_EQUAL;
	c->target = (enum store_target)target;
	c->result = (enum store_compare_result)result;
	c->number = get_i64(r);
	c->value = command_get_bytes(r);
}

static void put_op(struct strbuf *b, const struct store_op *op);

static void put_branch(struct strbuf *b, const struct store_op *ops, size_t n)
{
	command_put(b, n);
	for (size_t i = 0; i < n; i++)
		put_op(b, &ops[i]);
}

static void put_op(struct strbuf *b, const struct store_op *op)
{
	command_put(b, (uint64_t)op->type);
	switch (op->type) {
	case STORE_OP_RANGE:
		put_range(b, &op->range);
		break;
	case STORE_OP_PUT:
		put_put(b, &op->put);
		break;
	case STORE_OP_DELETE:
		put_keys(b, &op->del.keys);
		command_put(b, op->del.prev_kv);
		break;
	case STORE_OP_TXN:
		command_put(b, op->txn.n_compares);
		for (size_t i = 0; i < op->txn.n_compares; i++)
			put_compare(b, &op->txn.compares[i]);
		put_branch(b, op->txn.success, op->txn.n_success);
		put_branch(b, op->txn.failure, op->txn.n_failure);
		break;
	}
}

static void get_op(struct command_reader *r, struct arena *a, struct store_op *op, int depth);

static const struct store_op *get_branch(struct command_reader *r, struct arena *a, size_t *ret_n, int depth)
{
	*ret_n = get_count(r);
	struct store_op *ops = ARENA_ARRAY(a, struct store_op, *ret_n + 1);
	for (size_t i = 0; i < *ret_n && !r->is_bad; i++)
		get_op(r, a, &ops[i], depth + 1);
	return ops;
}

static void get_txn(struct command_reader *r, struct arena *a, struct store_txn *t, int depth)
{
	t->n_compares = get_count(r);
	struct store_compare *c = ARENA_ARRAY(a, struct store_compare, t->n_compares + 1);
	for (size_t i = 0; i < t->n_compares && !r->is_bad; i++)
		get_compare(r, &c[i]);
	t->compares = c;
	t->success = get_branch(r, a, &t->n_success, depth);
	t->failure = get_branch(r, a, &t->n_failure, depth);
}

static void get_op(struct command_reader *r, struct arena *a, struct store_op *op, int depth)
{
	uint64_t type = command_get(r);
	if (type > STORE_OP_TXN || depth > DEPTH_MAX) {
		r->is_bad = true;
		return;
	}
	*op = (struct store_op){.type = (enum store_op_type)type};
	switch (op->type) {
	case STORE_OP_RANGE:
		get_range(r, &op->range);
		break;
	case STORE_OP_PUT:
		get_put(r, &op->put);
		break;
	case STORE_OP_DELETE:
		op->del.keys = get_keys(r);
		op->del.prev_kv = command_get(r) != 0;
		break;
	case STORE_OP_TXN:
		get_txn(r, a, &op->txn, depth);
		break;
	}
}

/* ---- commands ---- */

/* On disk: do not renumber. */
enum command_kind {
	COMMAND_OP = 1,
	COMMAND_COMPACT,
	COMMAND_LEASE_GRANT,
	COMMAND_LEASE_REVOKE,
	COMMAND_SYSTEM,
	COMMAND_LEASE_KEYS_WITHIN, /* intervals, and then the command that they are about */
};

static void put_intervals(struct strbuf *b, const struct store_intervals *set)
{
	command_put(b, set->n);
	for (size_t i = 0; i < set->n; i++) {
		command_put_bytes(b, set->list[i].begin);
		command_put_bytes(b, set->list[i].end);
	}
}

static const struct store_intervals *get_intervals(struct command_reader *r, struct arena *a)
{
	struct store_intervals *set = ARENA_NEW(a, struct store_intervals);
	set->n = get_count(r);
	set->list = ARENA_ARRAY(a, struct store_interval, set->n + 1);
	for (size_t i = 0; i < set->n && !r->is_bad; i++) {
		set->list[i].begin = command_get_bytes(r);
		set->list[i].end = command_get_bytes(r);
	}
	return set;
}

static void put_system(struct strbuf *b, const struct store_system_args *a)
{
	command_put(b, (uint64_t)(a->expect_version + 1)); /* STORE_SYSTEM_ANY is -1 */
	command_put(b, a->n_changes);
	for (size_t i = 0; i < a->n_changes; i++) {
		command_put_bytes(b, a->changes[i].key);
		command_put(b, a->changes[i].is_delete);
		command_put_bytes(b, a->changes[i].value);
	}
}

static void get_system(struct command_reader *r, struct arena *arena, struct store_system_args *a)
{
	a->expect_version = get_i64(r) - 1;
	a->n_changes = get_count(r);
	struct store_system_entry *e = ARENA_ARRAY(arena, struct store_system_entry, a->n_changes + 1);
	for (size_t i = 0; i < a->n_changes && !r->is_bad; i++) {
		e[i].key = command_get_bytes(r);
		e[i].is_delete = command_get(r) != 0;
		e[i].value = command_get_bytes(r);
	}
	a->changes = e;
}

static void put_arguments(struct strbuf *b, const struct store_request *req)
{
	command_put(b, (uint64_t)req->system_version_expected);
	if (req->lease_keys_within) {
		command_put(b, COMMAND_LEASE_KEYS_WITHIN);
		put_intervals(b, req->lease_keys_within);
	}
	switch (req->type) {
	case STORE_REQUEST_OP:
		command_put(b, COMMAND_OP);
		put_op(b, &req->op);
		break;
	case STORE_REQUEST_COMPACT:
		command_put(b, COMMAND_COMPACT);
		command_put(b, (uint64_t)req->revision_arg);
		break;
	case STORE_REQUEST_LEASE_GRANT:
		command_put(b, COMMAND_LEASE_GRANT);
		command_put(b, (uint64_t)req->lease.id);
		command_put(b, (uint64_t)req->lease.ttl_s);
		break;
	case STORE_REQUEST_LEASE_REVOKE:
		command_put(b, COMMAND_LEASE_REVOKE);
		command_put(b, (uint64_t)req->lease.id);
		break;
	case STORE_REQUEST_SYSTEM:
		command_put(b, COMMAND_SYSTEM);
		put_system(b, &req->system);
		break;
	default:
		CHECK(!"not a command");
	}
}

/* Room for the bytes of a put, alone or as the one thing a transaction does: what most commands are. */
static size_t rough_bytes(const struct store_op *op)
{
	if (op->type == STORE_OP_TXN && op->txn.n_success == 1)
		op = &op->txn.success[0];
	return 128 + (op->type == STORE_OP_PUT ? 2 * op->put.key.len + op->put.value.len : 0);
}

void command_encode(struct strbuf *b, const struct command_head *head, const struct store_request *req)
{
	if (req->type == STORE_REQUEST_OP)
		strbuf_reserve(b, rough_bytes(&req->op));
	command_put(b, head->origin);
	command_put(b, head->sequence);
	command_put(b, head->term);
	put_arguments(b, req);
}

static struct command_head get_head(struct command_reader *r)
{
	struct command_head h;
	h.origin = command_get(r);
	h.sequence = command_get(r);
	h.term = command_get(r);
	return h;
}

bool command_head_decode(struct slice bytes, struct command_head *ret)
{
	struct command_reader r = {bytes, false, 0};
	*ret = get_head(&r);
	return !r.is_bad;
}

/* An expiry says in which term it was decided: see raft_engine.c. */
static void get_arguments(struct command_reader *r, bool is_expiry, struct store_request *req)
{
	req->system_version_expected = get_i64(r);
	uint64_t kind = command_get(r);
	if (kind == COMMAND_LEASE_KEYS_WITHIN) {
		req->lease_keys_within = get_intervals(r, &req->arena);
		kind = command_get(r);
	}
	switch (kind) {
	case COMMAND_OP:
		req->type = STORE_REQUEST_OP;
		get_op(r, &req->arena, &req->op, 0);
		break;
	case COMMAND_COMPACT:
		req->type = STORE_REQUEST_COMPACT;
		req->revision_arg = get_i64(r);
		break;
	case COMMAND_LEASE_GRANT:
		req->type = STORE_REQUEST_LEASE_GRANT;
		req->lease.id = get_i64(r);
		req->lease.ttl_s = get_i64(r);
		r->is_bad |= req->lease.id == 0 || req->lease.ttl_s <= 0 || req->lease.ttl_s > STORE_LEASE_TTL_S_MAX;
		break;
	case COMMAND_LEASE_REVOKE:
		req->type = STORE_REQUEST_LEASE_REVOKE;
		req->lease.id = get_i64(r);
		req->revision_arg = is_expiry;
		break;
	case COMMAND_SYSTEM:
		req->type = STORE_REQUEST_SYSTEM;
		get_system(r, &req->arena, &req->system);
		break;
	default:
		r->unknown_kind = r->is_bad ? 0 : kind;
		r->is_bad = true;
	}
}

int command_decode(struct slice bytes, struct command_head *ret_head, struct store_request *req, struct err *err)
{
	struct command_reader r = {bytes, false, 0};
	*ret_head = get_head(&r);
	get_arguments(&r, ret_head->term != 0, req);
	if (r.unknown_kind > COMMAND_LEASE_KEYS_WITHIN)
		return err_set(err, ERR_CORRUPT,
		        "a command of kind %" PRIu64
		        " in the log is of a newer program than this one, which knows up to %d: upgrade this server",
		        r.unknown_kind, COMMAND_LEASE_KEYS_WITHIN);
	if (r.is_bad || r.rest.len)
		return err_set(err, ERR_CORRUPT,
		        "a command of %zu bytes in the log is broken, or of a newer program than this one", bytes.len);
	return 0;
}

bool command_is_sound(struct slice bytes)
{
	struct store_request req = {0};
	struct command_head head;
	struct err err = ERR_INIT;
	bool ok = bytes.len <= STORE_COMMAND_BYTES_MAX && command_decode(bytes, &head, &req, &err) == 0;
	store_request_release(&req);
	return ok;
}
