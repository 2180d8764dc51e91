/* A shared log in an etcd cluster, under a prefix of its own:
 *
 *     k3x/meta                the form's version and the cluster's id
 *     k3x/head                the number of the newest entry
 *     k3x/log/NUMBER          origin, sequence (8 bytes each, big-endian), bytes
 *     k3x/once/ORIGIN         the newest sequence of that origin
 *     k3x/turn                the origin whose entry is to be the next; mostly there is none
 *     k3x/snapshot            number, id, parts
 *     k3x/part/ID/NUMBER      the snapshot's file in parts of a mebibyte
 *
 * An entry is added by one transaction on the condition that k3x/head is what this server last saw: numbers have no
 * gap, and two servers that add at once find out and try again behind each other. One that is far away would always be
 * too late: when it was for a while it asks for a turn, and the others, whose transactions say that nobody has, wait
 * until its entry is there (which takes the turn away with it), or for so long that it must be lost. What is sent again
 * after a lost connection finds its sequence in k3x/once and is not added twice. All reads are linearizable.
 *
 * Numbers in keys have 16 hex digits, so that order of keys is order of numbers. When a snapshot was put in place the
 * entries behind it are deleted and etcd is asked to compact: the cluster is taken to be ours alone. Every start leaves
 * one small key below k3x/once. */
#include "store/engine/etcd/etcd_log.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/pki/pki.h"
#include "store/engine/etcd/etcd_client_int.h"
#include "store/proto/unpack.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PREFIX "k3x/"
#define FORM "1 "
enum { TURN_AFTER_MS = 100, TURN_MS = 2000, TURN_LOOK_US = 5000 };
enum { ADD_MS = 1000, PART_BYTES = 1024 * 1024, HEAD_BYTES = 16, ENTRY_BYTES_MAX = 1536 * 1024 - 4096 };

struct etcd_log {
	struct shared_log base;
	struct etcd_client *client;
	bool was_used;    /* the endpoint was tried: the next is another */
	int64_t head;     /* last seen */
	int64_t head_mod; /* its revision in etcd; 0: there is none */
	bool is_watched;
	int64_t turn_mod; /* of k3x/turn as it was last seen; 0: nobody has one */
	bool has_turn;    /* it is ours */
	uint64_t turn_seen_ms;
	uint64_t losing_since_ms; /* others were quicker, ever since; 0: they were not */
};

static struct etcd_log *etcd_of(struct shared_log *l)
{
	return CONTAINER_OF(l, struct etcd_log, base);
}

/* ---- messages ---- */

static struct slice key_of(struct arena *a, const char *name)
{
	return slice_of(arena_printf(a, PREFIX "%s", name));
}

static struct slice log_key(struct arena *a, int64_t number)
{
	CHECK(number > 0);
	return slice_of(arena_printf(a, PREFIX "log/%016" PRIx64, (uint64_t)number));
}

static Etcdpb__RequestOp *put_op(struct arena *a, struct slice key, struct slice value)
{
	Etcdpb__RequestOp *op = arena_alloc(a, sizeof *op);
	Etcdpb__PutRequest *put = arena_alloc(a, sizeof *put);
	*op = (Etcdpb__RequestOp)ETCDPB__REQUEST_OP__INIT;
	*put = (Etcdpb__PutRequest)ETCDPB__PUT_REQUEST__INIT;
	put->key = etcd_bytes(key);
	put->value = etcd_bytes(value);
	op->request_case = ETCDPB__REQUEST_OP__REQUEST_REQUEST_PUT;
	op->request_put = put;
	return op;
}

static Etcdpb__RequestOp *get_op(struct arena *a, struct slice key)
{
	Etcdpb__RequestOp *op = arena_alloc(a, sizeof *op);
	Etcdpb__RangeRequest *range = arena_alloc(a, sizeof *range);
	*op = (Etcdpb__RequestOp)ETCDPB__REQUEST_OP__INIT;
	*range = (Etcdpb__RangeRequest)ETCDPB__RANGE_REQUEST__INIT;
	range->key = etcd_bytes(key);
	op->request_case = ETCDPB__REQUEST_OP__REQUEST_REQUEST_RANGE;
	op->request_range = range;
	return op;
}

static Etcdpb__RequestOp *delete_op(struct arena *a, struct slice key)
{
	Etcdpb__RequestOp *op = arena_alloc(a, sizeof *op);
	Etcdpb__DeleteRangeRequest *del = arena_alloc(a, sizeof *del);
	*op = (Etcdpb__RequestOp)ETCDPB__REQUEST_OP__INIT;
	*del = (Etcdpb__DeleteRangeRequest)ETCDPB__DELETE_RANGE_REQUEST__INIT;
	del->key = etcd_bytes(key);
	op->request_case = ETCDPB__REQUEST_OP__REQUEST_REQUEST_DELETE_RANGE;
	op->request_delete_range = del;
	return op;
}

static Etcdpb__Compare *mod_is(struct arena *a, struct slice key, int64_t revision)
{
	Etcdpb__Compare *c = arena_alloc(a, sizeof *c);
	*c = (Etcdpb__Compare)ETCDPB__COMPARE__INIT;
	c->key = etcd_bytes(key);
	c->result = ETCDPB__COMPARE__COMPARE_RESULT__EQUAL;
	c->target = ETCDPB__COMPARE__COMPARE_TARGET__MOD;
	c->target_union_case = ETCDPB__COMPARE__TARGET_UNION_MOD_REVISION;
	c->mod_revision = revision;
	return c;
}

static Etcdpb__TxnResponse *run_txn(struct etcd_log *l, const Etcdpb__TxnRequest *r, struct arena *a, struct err *err)
{
	return etcd_client_call(l->client, "KV/Txn", &r->base, &etcdpb__txn_response__descriptor, a, err);
}

static Etcdpb__RangeResponse *run_range(struct etcd_log *l, struct slice key, struct slice end, int64_t limit,
        bool keys_only, struct arena *a, struct err *err)
{
	Etcdpb__RangeRequest r = ETCDPB__RANGE_REQUEST__INIT;
	r.key = etcd_bytes(key);
	r.range_end = etcd_bytes(end);
	r.limit = limit;
	r.keys_only = keys_only;
	return etcd_client_call(l->client, "KV/Range", &r.base, &etcdpb__range_response__descriptor, a, err);
}

static int run_delete(struct etcd_log *l, struct slice key, struct slice end, struct err *err)
{
	struct arena a = ARENA_INIT;
	Etcdpb__DeleteRangeRequest r = ETCDPB__DELETE_RANGE_REQUEST__INIT;
	r.key = etcd_bytes(key);
	r.range_end = etcd_bytes(end);
	void *got = etcd_client_call(
	        l->client, "KV/DeleteRange", &r.base, &etcdpb__delete_range_response__descriptor, &a, err);
	arena_release(&a);
	return got ? 0 : err->code;
}

/* The pair that the i-th operation of a transaction found; NULL: none. */
static const Etcdpb__KeyValue *found(const Etcdpb__TxnResponse *r, size_t i)
{
	if (i >= r->n_responses || r->responses[i]->response_case != ETCDPB__RESPONSE_OP__RESPONSE_RESPONSE_RANGE ||
	        r->responses[i]->response_range->n_kvs != 1)
		return NULL;
	return r->responses[i]->response_range->kvs[0];
}

static int64_t hex_of(struct slice s)
{
	char text[17] = "";
	if (s.len > 16)
		return 0;
	memcpy(text, s.ptr, s.len);
	return (int64_t)strtoull(text, NULL, 16);
}

static void take_head(struct etcd_log *l, const Etcdpb__KeyValue *kv)
{
	l->head = kv ? hex_of(etcd_slice(kv->value)) : 0;
	l->head_mod = kv ? kv->mod_revision : 0;
}

static int broken(struct err *err)
{
	return err_set(err, ERR_CORRUPT,
	        "etcd: what is below " PREFIX " is not what this program wrote: give it an etcd of its own");
}

/* ---- what there is ---- */

static int look(struct etcd_log *l, struct shared_log_head *ret, struct err *err)
{
	struct arena a = ARENA_INIT;
	Etcdpb__TxnRequest r = ETCDPB__TXN_REQUEST__INIT;
	Etcdpb__RequestOp *ops[] = {
	        get_op(&a, key_of(&a, "meta")), get_op(&a, key_of(&a, "head")), get_op(&a, key_of(&a, "snapshot"))};
	r.success = ops;
	r.n_success = COUNT_OF(ops);
	int rc = 0;
	Etcdpb__TxnResponse *got = run_txn(l, &r, &a, err);
	const Etcdpb__KeyValue *meta = got ? found(got, 0) : NULL, *snapshot = got ? found(got, 2) : NULL;
	*ret = (struct shared_log_head){0};
	if (!got)
		rc = err->code;
	else if (!meta)
		rc = err_set(err, ERR_NOT_FOUND, "nothing is there yet");
	else if (!slice_starts(etcd_slice(meta->value), FORM) || meta->value.len != strlen(FORM) + 16)
		rc = broken(err);
	if (rc == 0) {
		take_head(l, found(got, 1));
		struct slice id = {(const char *)meta->value.data + strlen(FORM), 16};
		struct slice number = snapshot ? etcd_slice(snapshot->value) : SLICE_NULL;
		*ret = (struct shared_log_head){.id = (uint64_t)hex_of(id),
		        .last = l->head,
		        .snapshot = number.len >= 16 ? hex_of((struct slice){number.ptr, 16}) : 0};
		ret->entries = ret->last - ret->snapshot;
	}
	arena_release(&a);
	return rc;
}

static int create(struct etcd_log *l, struct err *err)
{
	struct arena a = ARENA_INIT;
	uint64_t id = 0;
	while (!id)
		pki_random(&id, sizeof id);
	id &= INT64_MAX;
	Etcdpb__TxnRequest r = ETCDPB__TXN_REQUEST__INIT;
	Etcdpb__Compare *compares[] = {mod_is(&a, key_of(&a, "meta"), 0)};
	Etcdpb__RequestOp *ops[] = {put_op(&a, key_of(&a, "meta"), slice_of(arena_printf(&a, FORM "%016" PRIx64, id)))};
	r.compare = compares;
	r.n_compare = 1;
	r.success = ops;
	r.n_success = 1;
	void *got = run_txn(l, &r, &a, err); /* another may have been quicker */
	arena_release(&a);
	return got ? 0 : err->code;
}

static int connect_one(struct etcd_log *l, struct err *err)
{
	struct shared_log_head head;
	if (l->was_used)
		etcd_client_turn(l->client);
	l->was_used = true;
	l->is_watched = false;
	int rc = look(l, &head, err);
	if (rc == ERR_NOT_FOUND && !l->base.is_look_only) {
		rc = create(l, err);
		rc = rc == 0 ? look(l, &head, err) : rc;
	}
	return rc;
}

/* The first endpoint that answers. */
static int log_connect(struct shared_log *base, struct err *err)
{
	struct etcd_log *l = etcd_of(base);
	int rc = ERR_UNAVAILABLE;
	base->entry_bytes_max = ENTRY_BYTES_MAX;
	for (size_t i = 0; i < etcd_client_endpoints(l->client) && rc != 0 && rc != ERR_CORRUPT; i++)
		rc = connect_one(l, err);
	if (rc == ERR_BUSY)
		rc = err->code = ERR_UNAVAILABLE;
	return rc;
}

/* The connection stays until the next one is made: that is what turns to the next endpoint. */
static void log_disconnect(struct shared_log *base)
{
}

static int log_head(struct shared_log *base, struct shared_log_head *ret, struct err *err)
{
	int rc = look(etcd_of(base), ret, err);
	return rc == ERR_NOT_FOUND ? broken(err) : rc;
}

/* ---- entries ---- */

static void put_number(char *out, uint64_t n)
{
	for (int i = 7; i >= 0; i--, n >>= 8)
		out[i] = (char)(n & 0xff);
}

static uint64_t get_number(const char *in)
{
	uint64_t n = 0;
	for (int i = 0; i < 8; i++)
		n = n << 8 | (unsigned char)in[i];
	return n;
}

static struct slice entry_value(struct arena *a, const struct shared_log_entry *e)
{
	char *bytes = arena_alloc(a, HEAD_BYTES + e->bytes.len);
	put_number(bytes, e->origin);
	put_number(bytes + 8, e->sequence);
	if (e->bytes.len)
		memcpy(bytes + HEAD_BYTES, e->bytes.ptr, e->bytes.len);
	return (struct slice){bytes, HEAD_BYTES + e->bytes.len};
}

/* ---- turns ---- */

static void take_turn_seen(struct etcd_log *l, const Etcdpb__KeyValue *kv, uint64_t origin)
{
	int64_t mod = kv ? kv->mod_revision : 0;
	if (mod != l->turn_mod)
		l->turn_seen_ms = clock_mono_ms();
	l->turn_mod = mod;
	l->has_turn = kv && (uint64_t)hex_of(etcd_slice(kv->value)) == origin;
}

/* Somebody else has it, and is not lost yet. */
static bool is_others_turn(const struct etcd_log *l)
{
	return l->turn_mod && !l->has_turn && clock_mono_ms() - l->turn_seen_ms < TURN_MS;
}

/* On the condition that nobody has one. */
static int ask_for_turn(struct etcd_log *l, uint64_t origin, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct slice key = key_of(&a, "turn");
	Etcdpb__TxnRequest r = ETCDPB__TXN_REQUEST__INIT;
	Etcdpb__Compare *compares[] = {mod_is(&a, key, 0)};
	Etcdpb__RequestOp *then[] = {
	        put_op(&a, key, slice_of(arena_printf(&a, "%016" PRIx64, origin))), get_op(&a, key)};
	Etcdpb__RequestOp *otherwise[] = {get_op(&a, key), get_op(&a, key)};
	r.compare = compares;
	r.n_compare = 1;
	r.success = then;
	r.n_success = COUNT_OF(then);
	r.failure = otherwise;
	r.n_failure = COUNT_OF(otherwise);
	Etcdpb__TxnResponse *got = run_txn(l, &r, &a, err);
	if (got)
		take_turn_seen(l, found(got, 1), origin);
	arena_release(&a);
	return got ? 0 : err->code;
}

static bool wants_turn(const struct etcd_log *l)
{
	return !l->turn_mod && l->losing_since_ms && clock_mono_ms() - l->losing_since_ms >= TURN_AFTER_MS;
}

/* 1: it is there now; 0: somebody else was quicker or has the turn, and is seen; negative. */
static int try_append(struct etcd_log *l, const struct shared_log_entry *e, struct err *err)
{
	struct arena a = ARENA_INIT;
	CHECK(e->origin && e->sequence && e->bytes.len && l->head >= 0);
	struct slice head = key_of(&a, "head"), turn = key_of(&a, "turn");
	struct slice once = slice_of(arena_printf(&a, PREFIX "once/%016" PRIx64, e->origin));
	struct slice number = slice_of(arena_printf(&a, "%016" PRIx64, (uint64_t)(l->head + 1)));
	struct slice sequence = slice_of(arena_printf(&a, "%016" PRIx64, e->sequence));
	Etcdpb__TxnRequest r = ETCDPB__TXN_REQUEST__INIT;
	/* a turn of another's that is in the way for too long goes the same way as one's own */
	bool ends_turn = l->turn_mod && !is_others_turn(l);
	Etcdpb__Compare *compares[] = {mod_is(&a, head, l->head_mod), mod_is(&a, turn, ends_turn ? l->turn_mod : 0)};
	Etcdpb__RequestOp *then[] = {put_op(&a, head, number), put_op(&a, log_key(&a, l->head + 1), entry_value(&a, e)),
	        put_op(&a, once, sequence), delete_op(&a, turn)};
	Etcdpb__RequestOp *otherwise[] = {get_op(&a, head), get_op(&a, once), get_op(&a, turn)};
	r.compare = compares;
	r.n_compare = COUNT_OF(compares);
	r.success = then;
	r.n_success = COUNT_OF(then) - !ends_turn;
	r.failure = otherwise;
	r.n_failure = COUNT_OF(otherwise);
	int rc = 0;
	Etcdpb__TxnResponse *got = run_txn(l, &r, &a, err);
	if (!got) {
		rc = err->code;
	} else if (got->succeeded) {
		take_turn_seen(l, NULL, e->origin);
		l->losing_since_ms = 0;
		l->head++;
		l->head_mod = got->header ? got->header->revision : 0;
		rc = 1;
	} else {
		const Etcdpb__KeyValue *seen = found(got, 1);
		take_head(l, found(got, 0));
		take_turn_seen(l, found(got, 2), e->origin);
		if (!l->losing_since_ms)
			l->losing_since_ms = clock_mono_ms();
		if (seen && (uint64_t)hex_of(etcd_slice(seen->value)) >= e->sequence)
			rc = err_set(err, ERR_EXISTS, "it is there already");
	}
	arena_release(&a);
	return rc;
}

static int log_append(struct shared_log *base, const struct shared_log_entry *e, int64_t *ret_before,
        int64_t *ret_index, struct err *err)
{
	struct etcd_log *l = etcd_of(base);
	uint64_t until_ms = clock_mono_ms() + ADD_MS;
	int rc = 0;
	do {
		if (is_others_turn(l))
			usleep(TURN_LOOK_US);
		else if (wants_turn(l) && ask_for_turn(l, e->origin, err) != 0)
			return err->code;
		rc = try_append(l, e, err);
	} while (rc == 0 && clock_mono_ms() < until_ms);
	if (rc == 0)
		return err_set(err, ERR_BUSY, "etcd: others were quicker for %d ms: trying again", ADD_MS);
	if (rc < 0)
		return rc;
	*ret_index = l->head;
	*ret_before = l->head - 1;
	return 0;
}

static int take_entry(const Etcdpb__KeyValue *kv, struct shared_log_entry *ret, struct err *err)
{
	struct slice key = etcd_slice(kv->key), value = etcd_slice(kv->value);
	size_t prefix = strlen(PREFIX "log/");
	if (key.len != prefix + 16 || value.len < HEAD_BYTES)
		return broken(err);
	*ret = (struct shared_log_entry){.index = hex_of((struct slice){key.ptr + prefix, 16}),
	        .origin = get_number(value.ptr),
	        .sequence = get_number(value.ptr + 8),
	        .bytes = {value.ptr + HEAD_BYTES, value.len - HEAD_BYTES}};
	return 0;
}

static void watch_head(struct etcd_log *l, int64_t revision)
{
	struct arena a = ARENA_INIT;
	if (!l->is_watched)
		etcd_client_watch(l->client, key_of(&a, "head"), revision);
	l->is_watched = true;
	arena_release(&a);
}

static int log_read(struct shared_log *base, int64_t after, struct arena *a, struct shared_log_entry **ret,
        size_t *ret_n, struct err *err)
{
	struct etcd_log *l = etcd_of(base);
	size_t bytes = 0;
	CHECK(after >= 0);
	if (!base->read_max)
		base->read_max = SHARED_LOG_READ_MIN;
	Etcdpb__RangeResponse *got =
	        run_range(l, log_key(a, after + 1), SLICE(PREFIX "log0"), base->read_max, false, a, err);
	if (!got)
		return err->code;
	for (size_t i = 0; i < got->n_kvs; i++)
		bytes += got->kvs[i]->value.len;
	base->has_more = (int64_t)got->n_kvs == base->read_max;
	base->read_max = shared_log_read_next(base->read_max, got->n_kvs, bytes);
	watch_head(l, got->header ? got->header->revision + 1 : 0);
	*ret = arena_alloc(a, (got->n_kvs + 1) * sizeof **ret);
	*ret_n = got->n_kvs;
	for (size_t i = 0; i < got->n_kvs; i++) {
		if (take_entry(got->kvs[i], &(*ret)[i], err) != 0)
			return err->code;
		if ((*ret)[i].index != after + 1 + (int64_t)i)
			return err_set(err, ERR_COMPACTED, "entry %" PRId64 " is gone", after + 1 + (int64_t)i);
	}
	return 0;
}

static int log_fd(struct shared_log *base)
{
	return etcd_client_fd(etcd_of(base)->client);
}

/* What this server itself has added does not count. A watch that has ended is begun anew with the next look. */
static bool log_heard(struct shared_log *base)
{
	struct etcd_log *l = etcd_of(base);
	bool is_over;
	int64_t revision = etcd_client_heard(l->client, &is_over);
	if (is_over)
		l->is_watched = false;
	base->tells = revision > 0 && !is_over;
	return is_over || revision > l->head_mod;
}

/* ---- the snapshot ---- */

static struct slice part_key(struct arena *a, uint64_t id, int64_t number)
{
	return slice_of(arena_printf(a, PREFIX "part/%016" PRIx64 "/%016" PRIx64, id, (uint64_t)number));
}

static int send_part(struct etcd_log *l, uint64_t id, int64_t number, struct slice bytes, struct err *err)
{
	struct arena a = ARENA_INIT;
	const struct shared_log_parts *p = l->base.parts;
	Etcdpb__PutRequest r = ETCDPB__PUT_REQUEST__INIT;
	if (p && p->has(p->arg, number, bytes))
		return 0;
	r.key = etcd_bytes(part_key(&a, id, number));
	r.value = etcd_bytes(bytes);
	void *got = etcd_client_call(l->client, "KV/Put", &r.base, &etcdpb__put_response__descriptor, &a, err);
	arena_release(&a);
	return got && p ? p->sent(p->arg, number, bytes, err) : got ? 0 : err->code;
}

/* Those of a longer one. */
static int drop_parts_from(struct etcd_log *l, uint64_t id, int64_t number, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct slice end = slice_of(arena_printf(&a, PREFIX "part/%016" PRIx64 "0", id));
	int rc = run_delete(l, part_key(&a, id, number), end, err);
	arena_release(&a);
	return rc;
}

static int log_count_parts(struct shared_log *base, int64_t id, int64_t *ret, struct err *err)
{
	struct arena a = ARENA_INIT;
	Etcdpb__RangeRequest r = ETCDPB__RANGE_REQUEST__INIT;
	r.key = etcd_bytes(part_key(&a, (uint64_t)id, 0));
	r.range_end = etcd_bytes(slice_of(arena_printf(&a, PREFIX "part/%016" PRIx64 "0", (uint64_t)id)));
	r.count_only = true;
	Etcdpb__RangeResponse *got = etcd_client_call(
	        etcd_of(base)->client, "KV/Range", &r.base, &etcdpb__range_response__descriptor, &a, err);
	*ret = got ? got->count : 0;
	arena_release(&a);
	return got ? 0 : err->code;
}

static int send_parts(struct etcd_log *l, FILE *f, uint64_t id, int64_t *ret_parts, struct err *err)
{
	char *part = xmalloc(PART_BYTES);
	size_t n;
	int rc = 0;
	*ret_parts = 0;
	while (rc == 0 && (n = fread(part, 1, PART_BYTES, f)) > 0) {
		rc = send_part(l, id, (*ret_parts)++, (struct slice){part, n}, err);
		if (rc == 0 && l->base.progress)
			l->base.progress(l->base.arg, n);
	}
	if (rc == 0 && ferror(f))
		rc = err_errno(err, errno, "read the snapshot");
	if (rc == 0 && l->base.parts)
		rc = drop_parts_from(l, id, *ret_parts, err);
	free(part);
	return rc;
}

/* Numbers have 16 digits each: index, id, parts. */
static int read_snapshot(struct etcd_log *l, int64_t ret[3], int64_t *ret_mod, struct err *err)
{
	struct arena a = ARENA_INIT;
	int rc = 0;
	memset(ret, 0, 3 * sizeof ret[0]);
	*ret_mod = 0;
	Etcdpb__RangeResponse *got = run_range(l, key_of(&a, "snapshot"), SLICE(""), 0, false, &a, err);
	if (!got)
		rc = err->code;
	else if (got->n_kvs == 1 && got->kvs[0]->value.len == 50) {
		const char *text = (const char *)got->kvs[0]->value.data;
		for (int i = 0; i < 3; i++)
			ret[i] = hex_of((struct slice){text + (ptrdiff_t)17 * i, 16});
		*ret_mod = got->kvs[0]->mod_revision;
	} else if (got->n_kvs) {
		rc = broken(err);
	}
	arena_release(&a);
	return rc;
}

static int name_snapshot(struct etcd_log *l, int64_t index, uint64_t id, int64_t parts, int64_t old_mod,
        int64_t *ret_revision, struct err *err)
{
	struct arena a = ARENA_INIT;
	int rc = 0;
	struct slice key = key_of(&a, "snapshot");
	struct slice value = slice_of(
	        arena_printf(&a, "%016" PRIx64 " %016" PRIx64 " %016" PRIx64, (uint64_t)index, id, (uint64_t)parts));
	Etcdpb__TxnRequest r = ETCDPB__TXN_REQUEST__INIT;
	CHECK(value.len == 50); /* as read_snapshot() takes it */
	/* the second of both is for a log without an entry, which begins behind this */
	Etcdpb__Compare *compares[] = {mod_is(&a, key, old_mod), mod_is(&a, key_of(&a, "head"), 0)};
	Etcdpb__RequestOp *ops[] = {put_op(&a, key, value),
	        put_op(&a, key_of(&a, "head"), slice_of(arena_printf(&a, "%016" PRIx64, (uint64_t)index)))};
	r.compare = compares;
	r.n_compare = r.n_success = l->head_mod ? 1 : 2;
	r.success = ops;
	Etcdpb__TxnResponse *got = run_txn(l, &r, &a, err);
	if (!got)
		rc = err->code;
	else if (!got->succeeded)
		rc = err_set(err, ERR_CONFLICT, "another server has put a snapshot in place meanwhile");
	else
		*ret_revision = got->header ? got->header->revision : 0;
	arena_release(&a);
	return rc;
}

/* Parts of all others: of the one before, and what broken attempts have left. A server that sends at this very moment
 * finds its snapshot's name changed, and gives up. */
static int drop_parts(struct etcd_log *l, uint64_t id, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct slice own = slice_of(arena_printf(&a, PREFIX "part/%016" PRIx64 "/", id));
	struct slice behind = slice_of(arena_printf(&a, PREFIX "part/%016" PRIx64 "0", id));
	int rc = run_delete(l, SLICE(PREFIX "part/"), own, err);
	if (rc == 0)
		rc = run_delete(l, behind, SLICE(PREFIX "part0"), err);
	arena_release(&a);
	return rc;
}

/* Or somebody else does: nothing depends on it but room. */
static void compact(struct etcd_log *l, int64_t revision)
{
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	Etcdpb__CompactionRequest r = ETCDPB__COMPACTION_REQUEST__INIT;
	r.revision = revision;
	if (!etcd_client_call(l->client, "KV/Compact", &r.base, &etcdpb__header_response__descriptor, &a, &err))
		log_debug("store", "etcd was not compacted", "error=\"%s\"", err.msg);
	arena_release(&a);
}

static int log_save_snapshot(struct shared_log *base, const char *path, int64_t index, int64_t drop, struct err *err)
{
	struct etcd_log *l = etcd_of(base);
	FILE *f = fopen(path, "re");
	int64_t parts, revision = 0, old[3], old_mod;
	uint64_t id;
	CHECK(index > 0 && drop <= index);
	if (!f)
		return err_errno(err, errno, "open %s", path);
	pki_random(&id, sizeof id);
	id = base->parts ? (uint64_t)base->parts->id : (id & INT64_MAX) | 1;
	int rc = read_snapshot(l, old, &old_mod, err);
	if (rc == 0)
		rc = send_parts(l, f, id, &parts, err);
	if (rc == 0 && base->parts && base->parts->is_draft) {
		fclose(f);
		return 0;
	}
	if (rc == 0)
		rc = name_snapshot(l, index, id, parts, old_mod, &revision, err);
	if (rc == 0)
		rc = drop_parts(l, id, err);
	if (rc == 0 && drop > 0) {
		struct arena a = ARENA_INIT;
		rc = run_delete(l, SLICE(PREFIX "log/"), log_key(&a, drop + 1), err);
		arena_release(&a);
	}
	if (rc == 0)
		compact(l, revision);
	fclose(f);
	return rc;
}

static int fetch_parts(struct etcd_log *l, FILE *f, const int64_t snapshot[3], struct err *err)
{
	int rc = 0;
	for (int64_t i = 0; i < snapshot[2] && rc == 0; i++) {
		struct arena a = ARENA_INIT;
		struct slice key = part_key(&a, (uint64_t)snapshot[1], i);
		Etcdpb__RangeResponse *got = run_range(l, key, SLICE(""), 0, false, &a, err);
		if (!got)
			rc = err->code;
		else if (got->n_kvs != 1)
			rc = err_set(err, ERR_UNAVAILABLE, "a newer snapshot has come while this one was read");
		else if (fwrite(got->kvs[0]->value.data, 1, got->kvs[0]->value.len, f) != got->kvs[0]->value.len)
			rc = err_errno(err, errno, "write the snapshot");
		arena_release(&a);
	}
	return rc;
}

static int log_load_snapshot(struct shared_log *base, const char *path, int64_t *ret_index, struct err *err)
{
	struct etcd_log *l = etcd_of(base);
	int64_t snapshot[3], mod;
	FILE *f = NULL;
	int rc = read_snapshot(l, snapshot, &mod, err);
	if (rc == 0 && !mod)
		rc = err_set(err, ERR_NOT_FOUND, "there is no snapshot in the datastore");
	if (rc == 0 && !(f = fopen(path, "we")))
		rc = err_errno(err, errno, "open %s", path);
	if (rc == 0)
		rc = fetch_parts(l, f, snapshot, err);
	if (rc == 0 && (fflush(f) != 0 || fsync(fileno(f)) != 0))
		rc = err_errno(err, errno, "write %s", path);
	if (rc == 0)
		*ret_index = snapshot[0];
	if (f)
		fclose(f);
	return rc;
}

static void log_free(struct shared_log *base)
{
	etcd_client_free(etcd_of(base)->client);
	free(etcd_of(base));
}

static const struct shared_log_vtable vtable = {.name = "etcd",
        .connect = log_connect,
        .disconnect = log_disconnect,
        .append = log_append,
        .head = log_head,
        .read = log_read,
        .fd = log_fd,
        .heard = log_heard,
        .save_snapshot = log_save_snapshot,
        .count_parts = log_count_parts,
        .load_snapshot = log_load_snapshot,
        .free = log_free};

int etcd_log_open(const struct dsn *dsn, const struct dsn_tls *tls, struct shared_log **ret, struct err *err)
{
	struct etcd_log *l = xcalloc(1, sizeof *l);
	l->base.v = &vtable;
	if (etcd_client_new(dsn, tls, &l->client, err) != 0) {
		free(l);
		return err->code;
	}
	*ret = &l->base;
	return 0;
}
