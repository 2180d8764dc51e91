/* KV: what the options of a range do, what puts and deletions answer, transactions inside transactions, compaction, and
 * etcd's words for what is refused. */
#include "tests/unit/store/etcd/rpc_fixture.h"

static const ProtobufCMessageDescriptor *const range_type = &etcdpb__range_response__descriptor,
                                               *const put_type = &etcdpb__put_response__descriptor,
                                               *const txn_type = &etcdpb__txn_response__descriptor,
                                               *const delete_type = &etcdpb__delete_range_response__descriptor;

static Etcdpb__RangeRequest range_from_to(const char *key, const char *end)
{
	Etcdpb__RangeRequest r = ETCDPB__RANGE_REQUEST__INIT;
	r.key = etcd_bytes(slice_of(key));
	r.range_end = etcd_bytes(slice_of(end));
	return r;
}

static Etcdpb__PutRequest put_of(const char *key, const char *value)
{
	Etcdpb__PutRequest r = ETCDPB__PUT_REQUEST__INIT;
	r.key = etcd_bytes(slice_of(key));
	r.value = etcd_bytes(slice_of(value));
	return r;
}

/* ---- ranges ---- */

/* Revisions 2 to 6 make p/1 to p/5 with values that fall, 7 writes p/3 again, 8 deletes p/4. */
static void fill(void)
{
	for (char c = '1'; c <= '5'; c++)
		rpc_put((char[]){'p', '/', c, 0}, (char[]){'v', (char)('1' + '5' - c), 0});
	assert_int_equal(rpc_put("p/3", "w"), 7);
	Etcdpb__DeleteRangeRequest d = ETCDPB__DELETE_RANGE_REQUEST__INIT;
	d.key = etcd_bytes(SLICE("p/4"));
	rpc_ok("KV/DeleteRange", &d.base, delete_type);
}

static void options_of_a_range(void **state)
{
	static const struct {
		const char *what;
		int64_t limit, revision;
		int order, target;
		bool keys_only, count_only, serializable;
		int64_t min_mod, max_mod, min_create, max_create;
		const char *pairs;
		int64_t count;
		bool more;
	} rows[] = {
	        {.what = "all", .pairs = "p/1=v5 p/2=v4 p/3=w p/5=v1 ", .count = 4},
	        {.what = "serializable", .serializable = true, .pairs = "p/1=v5 p/2=v4 p/3=w p/5=v1 ", .count = 4},
	        {.what = "limit", .limit = 2, .pairs = "p/1=v5 p/2=v4 ", .count = 4, .more = true},
	        {.what = "limit that is enough", .limit = 4, .pairs = "p/1=v5 p/2=v4 p/3=w p/5=v1 ", .count = 4},
	        {.what = "keys only", .keys_only = true, .pairs = "p/1= p/2= p/3= p/5= ", .count = 4},
	        {.what = "count only", .count_only = true, .limit = 1, .pairs = "", .count = 4},
	        {.what = "at a revision", .revision = 5, .pairs = "p/1=v5 p/2=v4 p/3=v3 p/4=v2 ", .count = 4},
	        {.what = "at a revision, counted", .revision = 3, .count_only = true, .pairs = "", .count = 2},
	        {.what = "by key, falling", .order = 2, .limit = 2, .pairs = "p/5=v1 p/3=w ", .count = 4, .more = true},
	        {.what = "by version, falling",
	                .order = 2,
	                .target = 1,
	                .limit = 1,
	                .pairs = "p/3=w ",
	                .count = 4,
	                .more = true},
	        {.what = "by creation, falling",
	                .order = 2,
	                .target = 2,
	                .pairs = "p/5=v1 p/3=w p/2=v4 p/1=v5 ",
	                .count = 4},
	        {.what = "by change, falling",
	                .order = 2,
	                .target = 3,
	                .pairs = "p/3=w p/5=v1 p/2=v4 p/1=v5 ",
	                .count = 4},
	        {.what = "by value, rising",
	                .order = 1,
	                .target = 4,
	                .pairs = "p/5=v1 p/2=v4 p/1=v5 p/3=w ",
	                .count = 4},
	        {.what = "by value without an order", .target = 4, .pairs = "p/5=v1 p/2=v4 p/1=v5 p/3=w ", .count = 4},
	        {.what = "by change, keys only",
	                .order = 2,
	                .target = 3,
	                .keys_only = true,
	                .pairs = "p/3= p/5= p/2= p/1= ",
	                .count = 4},
	        {.what = "changed from", .min_mod = 6, .pairs = "p/3=w p/5=v1 ", .count = 4},
	        {.what = "changed up to", .max_mod = 3, .pairs = "p/1=v5 p/2=v4 ", .count = 4},
	        {.what = "changed between, with a limit",
	                .min_mod = 3,
	                .max_mod = 6,
	                .limit = 1,
	                .pairs = "p/2=v4 ",
	                .count = 4,
	                .more = true},
	        {.what = "created between", .min_create = 3, .max_create = 4, .pairs = "p/2=v4 p/3=w ", .count = 4},
	        {.what = "no pair is left", .min_mod = 100, .pairs = "", .count = 4},
	};
	fill();
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		Etcdpb__RangeRequest r = range_from_to("p/", "p0");
		r.limit = rows[i].limit;
		r.revision = rows[i].revision;
		r.sort_order = (Etcdpb__RangeRequest__SortOrder)rows[i].order;
		r.sort_target = (Etcdpb__RangeRequest__SortTarget)rows[i].target;
		r.keys_only = rows[i].keys_only;
		r.count_only = rows[i].count_only;
		r.serializable = rows[i].serializable;
		r.min_mod_revision = rows[i].min_mod;
		r.max_mod_revision = rows[i].max_mod;
		r.min_create_revision = rows[i].min_create;
		r.max_create_revision = rows[i].max_create;
		Etcdpb__RangeResponse *m = rpc_ok("KV/Range", &r.base, range_type);
		const char *pairs = rpc_pairs(m->kvs, m->n_kvs);
		if (strcmp(pairs, rows[i].pairs) != 0 || m->count != rows[i].count || m->more != rows[i].more)
			fail_msg("%s: %s(count %d, more %d)", rows[i].what, pairs, (int)m->count, m->more);
		assert_int_equal(m->header->revision, 8);
	}
}

static void ends_of_a_range(void **state)
{
	static const struct {
		struct slice key, end;
		const char *pairs;
	} rows[] = {
	        {{"p/3", 3}, {NULL, 0}, "p/3=w "},
	        {{"p/4", 3}, {NULL, 0}, ""},
	        {{"p/3", 3}, {"\0", 1}, "p/3=w p/5=v1 "},
	        {{"\0", 1}, {"\0", 1}, "p/1=v5 p/2=v4 p/3=w p/5=v1 "},
	        {{"p/3", 3}, {"p/3", 3}, ""},
	        {{"p/3", 3}, {"p/1", 3}, ""},
	        {{"p/1", 3}, {"p/3", 3}, "p/1=v5 p/2=v4 "},
	};
	fill();
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		Etcdpb__RangeRequest r = ETCDPB__RANGE_REQUEST__INIT;
		r.key = etcd_bytes(rows[i].key);
		r.range_end = etcd_bytes(rows[i].end);
		Etcdpb__RangeResponse *m = rpc_ok("KV/Range", &r.base, range_type);
		assert_string_equal(rpc_pairs(m->kvs, m->n_kvs), rows[i].pairs);
	}
}

static void ranges_that_are_refused(void **state)
{
	Etcdpb__RangeRequest none = ETCDPB__RANGE_REQUEST__INIT;
	Etcdpb__RangeRequest order = range_from_to("a", ""), target = order, future = order;
	/* Unknown orders pass in etcd 3.5, not in 3.6. */
	order.sort_order = (Etcdpb__RangeRequest__SortOrder)3;
	target.sort_target = (Etcdpb__RangeRequest__SortTarget)5;
	future.revision = 2;
	rpc_fails("KV/Range", &none.base, GRPC_INVALID_ARGUMENT, "etcdserver: key is not provided");
	rpc_fails("KV/Range", &order.base, GRPC_INVALID_ARGUMENT, "etcdserver: invalid sort option");
	rpc_fails("KV/Range", &target.base, GRPC_INVALID_ARGUMENT, "etcdserver: invalid sort option");
	rpc_fails("KV/Range", &future.base, GRPC_OUT_OF_RANGE,
	        "etcdserver: mvcc: required revision is a future revision");
}

/* ---- puts and deletions ---- */

static void puts_keep_what_they_are_told_to(void **state)
{
	Etcdpb__PutRequest first = put_of("k", "v1"), value = put_of("k", ""), lease = put_of("k", "v2"),
	                   again = put_of("k", "v3");
	first.lease = rpc_grant(7, 100);
	first.prev_kv = true;
	Etcdpb__PutResponse *m = rpc_ok("KV/Put", &first.base, put_type);
	assert_null(m->prev_kv);
	value.ignore_value = true; /* the lease goes */
	rpc_ok("KV/Put", &value.base, put_type);
	Etcdpb__KeyValue *kv = rpc_get("k")->kvs[0];
	assert_true(slice_is(etcd_slice(kv->value), "v1") && kv->lease == 0 && kv->version == 2);
	rpc_ok("KV/Put", &first.base, put_type);
	lease.ignore_lease = true; /* the value goes */
	rpc_ok("KV/Put", &lease.base, put_type);
	kv = rpc_get("k")->kvs[0];
	assert_true(slice_is(etcd_slice(kv->value), "v2") && kv->lease == 7 && kv->version == 4);
	again.prev_kv = true;
	m = rpc_ok("KV/Put", &again.base, put_type);
	assert_true(slice_is(etcd_slice(m->prev_kv->value), "v2") && m->prev_kv->lease == 7);
	assert_int_equal(m->prev_kv->create_revision, 2);
	assert_int_equal(m->prev_kv->mod_revision, 5);
	assert_int_equal(m->header->revision, 6);
}

static void puts_that_are_refused(void **state)
{
	Etcdpb__PutRequest none = ETCDPB__PUT_REQUEST__INIT;
	Etcdpb__PutRequest value = put_of("k", "v"), lease = put_of("k", "v"), absent = put_of("absent", ""),
	                   unknown = put_of("k", "v");
	value.ignore_value = true;
	lease.ignore_lease = true;
	lease.lease = 7;
	absent.ignore_value = true;
	unknown.lease = 7;
	rpc_fails("KV/Put", &none.base, GRPC_INVALID_ARGUMENT, "etcdserver: key is not provided");
	rpc_fails("KV/Put", &value.base, GRPC_INVALID_ARGUMENT, "etcdserver: value is provided");
	rpc_fails("KV/Put", &lease.base, GRPC_INVALID_ARGUMENT, "etcdserver: lease is provided");
	rpc_fails("KV/Put", &absent.base, GRPC_INVALID_ARGUMENT, "etcdserver: key not found");
	rpc_fails("KV/Put", &unknown.base, GRPC_NOT_FOUND, "etcdserver: requested lease not found");
	assert_int_equal(rpc_put("k", ""), 2); /* none of them took a revision */
}

static void deletions_count_and_show(void **state)
{
	Etcdpb__DeleteRangeRequest d = ETCDPB__DELETE_RANGE_REQUEST__INIT;
	rpc_fails("KV/DeleteRange", &d.base, GRPC_INVALID_ARGUMENT, "etcdserver: key is not provided");
	fill();
	d.key = etcd_bytes(SLICE("p/2"));
	d.range_end = etcd_bytes(SLICE("p/5"));
	d.prev_kv = true;
	Etcdpb__DeleteRangeResponse *m = rpc_ok("KV/DeleteRange", &d.base, delete_type);
	assert_int_equal(m->deleted, 2);
	assert_string_equal(rpc_pairs(m->prev_kvs, m->n_prev_kvs), "p/2=v4 p/3=w ");
	assert_int_equal(m->header->revision, 9);
	m = rpc_ok("KV/DeleteRange", &d.base, delete_type);
	assert_int_equal(m->deleted, 0);
	assert_int_equal(m->header->revision, 9); /* nothing happened */
}

/* ---- transactions ---- */

static Etcdpb__RequestOp op_put(Etcdpb__PutRequest *r)
{
	Etcdpb__RequestOp o = ETCDPB__REQUEST_OP__INIT;
	o.request_case = ETCDPB__REQUEST_OP__REQUEST_REQUEST_PUT;
	o.request_put = r;
	return o;
}

static Etcdpb__RequestOp op_range(Etcdpb__RangeRequest *r)
{
	Etcdpb__RequestOp o = ETCDPB__REQUEST_OP__INIT;
	o.request_case = ETCDPB__REQUEST_OP__REQUEST_REQUEST_RANGE;
	o.request_range = r;
	return o;
}

static Etcdpb__RequestOp op_txn(Etcdpb__TxnRequest *r)
{
	Etcdpb__RequestOp o = ETCDPB__REQUEST_OP__INIT;
	o.request_case = ETCDPB__REQUEST_OP__REQUEST_REQUEST_TXN;
	o.request_txn = r;
	return o;
}

static Etcdpb__TxnRequest txn_of(Etcdpb__RequestOp **ops, size_t n)
{
	Etcdpb__TxnRequest t = ETCDPB__TXN_REQUEST__INIT;
	t.success = ops;
	t.n_success = n;
	return t;
}

static Etcdpb__Compare compare_of(int target, int result, const char *key)
{
	Etcdpb__Compare c = ETCDPB__COMPARE__INIT;
	c.target = (Etcdpb__Compare__CompareTarget)target;
	c.result = (Etcdpb__Compare__CompareResult)result;
	c.key = etcd_bytes(slice_of(key));
	return c;
}

static void compares(void **state)
{
	enum { EQUAL, GREATER, LESS, NOT_EQUAL };
	enum { VERSION, CREATE, MOD, VALUE, LEASE };
	static const struct {
		int target, result;
		const char *key, *end;
		int64_t number;
		const char *value;
		bool holds;
	} rows[] = {
	        {VERSION, EQUAL, "a", NULL, 2, NULL, true},
	        {VERSION, GREATER, "a", NULL, 2, NULL, false},
	        {VERSION, LESS, "a", NULL, 3, NULL, true},
	        {VERSION, EQUAL, "absent", NULL, 0, NULL, true},
	        {VERSION, NOT_EQUAL, "absent", NULL, 0, NULL, false},
	        {CREATE, EQUAL, "a", NULL, 2, NULL, true},
	        {CREATE, EQUAL, "absent", NULL, 0, NULL, true},
	        {MOD, EQUAL, "a", NULL, 3, NULL, true},
	        {MOD, LESS, "a", NULL, 3, NULL, false},
	        {VALUE, EQUAL, "a", NULL, 0, "v2", true},
	        {VALUE, GREATER, "a", NULL, 0, "v10", true},
	        {VALUE, EQUAL, "absent", NULL, 0, "", false}, /* what is not there has no value */
	        {VALUE, NOT_EQUAL, "absent", NULL, 0, "x", false},
	        {LEASE, EQUAL, "b", NULL, 7, NULL, true},
	        {LEASE, EQUAL, "a", NULL, 0, NULL, true},
	        {VERSION, GREATER, "a", "c", 0, NULL, true}, /* of every key */
	        {VERSION, EQUAL, "a", "c", 2, NULL, false},
	        {MOD, EQUAL, "x", "z", 9, NULL, false}, /* an empty range is as an absent key */
	        {MOD, EQUAL, "x", "z", 0, NULL, true},
	};
	rpc_put("a", "v1");
	rpc_put("a", "v2");
	rpc_put_under("b", rpc_grant(7, 100));
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		Etcdpb__Compare c = compare_of(rows[i].target, rows[i].result, rows[i].key), *list[] = {&c};
		Etcdpb__TxnRequest t = txn_of(NULL, 0);
		static const Etcdpb__Compare__TargetUnionCase cases[] = {ETCDPB__COMPARE__TARGET_UNION_VERSION,
		        ETCDPB__COMPARE__TARGET_UNION_CREATE_REVISION, ETCDPB__COMPARE__TARGET_UNION_MOD_REVISION,
		        ETCDPB__COMPARE__TARGET_UNION_VALUE, ETCDPB__COMPARE__TARGET_UNION_LEASE};
		c.target_union_case = cases[rows[i].target];
		if (rows[i].target == VALUE)
			c.value = etcd_bytes(slice_of(rows[i].value));
		else
			c.version = rows[i].number; /* all numbers share their place */
		c.range_end = etcd_bytes(rows[i].end ? slice_of(rows[i].end) : SLICE_NULL);
		t.compare = list;
		t.n_compare = 1;
		Etcdpb__TxnResponse *m = rpc_ok("KV/Txn", &t.base, txn_type);
		if (m->succeeded != rows[i].holds)
			fail_msg("compare %zu", i);
	}
}

static void transactions_inside_transactions(void **state)
{
	Etcdpb__PutRequest deep = put_of("deep", "1"), shallow = put_of("shallow", "2"), never = put_of("never", "3");
	Etcdpb__RangeRequest all = range_from_to("a", "z");
	Etcdpb__RequestOp o_deep = op_put(&deep), o_shallow = op_put(&shallow), o_never = op_put(&never),
	                  o_all = op_range(&all), *in_deep[] = {&o_deep, &o_all}, *in_never[] = {&o_never};
	Etcdpb__Compare there = compare_of(0, 1, "absent"), *compare[] = {&there};
	Etcdpb__TxnRequest inner = txn_of(in_never, 1);
	inner.compare = compare;
	inner.n_compare = 1;
	inner.failure = in_deep;
	inner.n_failure = 2;
	Etcdpb__RequestOp o_inner = op_txn(&inner), *in_outer[] = {&o_shallow, &o_inner, &o_all};
	Etcdpb__TxnRequest outer = txn_of(in_outer, 3);
	Etcdpb__TxnResponse *m = rpc_ok("KV/Txn", &outer.base, txn_type);
	assert_true(m->succeeded && m->n_responses == 3);
	Etcdpb__TxnResponse *within = m->responses[1]->response_txn;
	assert_true(!within->succeeded && within->n_responses == 2);
	Etcdpb__RangeResponse *seen = within->responses[1]->response_range;
	assert_string_equal(rpc_pairs(seen->kvs, seen->n_kvs), "deep=1 shallow=2 "); /* the writes before it */
	seen = m->responses[2]->response_range;
	assert_string_equal(rpc_pairs(seen->kvs, seen->n_kvs), "deep=1 shallow=2 ");
	assert_int_equal(m->header->revision, 2); /* one revision for all */
	assert_int_equal(seen->kvs[0]->mod_revision, 2);
}

static void transactions_that_are_refused(void **state)
{
	Etcdpb__PutRequest one = put_of("k", "1"), two = put_of("k", "2"), unknown = put_of("x", "1");
	Etcdpb__RangeRequest future = range_from_to("k", "");
	Etcdpb__RequestOp nothing = ETCDPB__REQUEST_OP__INIT, o_one = op_put(&one), o_two = op_put(&two),
	                  o_unknown = op_put(&unknown), o_future = op_range(&future), *ops[2] = {&o_one, &o_two};
	Etcdpb__TxnRequest t = txn_of(ops, 2);
	rpc_fails("KV/Txn", &t.base, GRPC_INVALID_ARGUMENT, "etcdserver: duplicate key given in txn request");
	unknown.lease = 9;
	ops[1] = &o_unknown;
	rpc_fails("KV/Txn", &t.base, GRPC_NOT_FOUND, "etcdserver: requested lease not found");
	future.revision = 100;
	ops[1] = &o_future;
	rpc_fails("KV/Txn", &t.base, GRPC_OUT_OF_RANGE, "etcdserver: mvcc: required revision is a future revision");
	ops[1] = &nothing;
	rpc_fails("KV/Txn", &t.base, GRPC_INVALID_ARGUMENT, "etcdserver: key not found");
	Etcdpb__Compare c = compare_of(9, 0, "k"), *list[] = {&c};
	Etcdpb__TxnRequest compare = txn_of(NULL, 0);
	compare.compare = list;
	compare.n_compare = 1;
	rpc_fails("KV/Txn", &compare.base, GRPC_INVALID_ARGUMENT,
	        "etcdserver: invalid txn request: a compare of an unknown kind");
	assert_int_equal(rpc_get("k")->count, 0);
}

static void the_two_branches_of_a_transaction_may_write_one_key(void **state)
{
	Etcdpb__PutRequest one = put_of("k", "1"), two = put_of("k", "2");
	Etcdpb__RequestOp o_one = op_put(&one), o_two = op_put(&two), *yes[] = {&o_one}, *no[] = {&o_two};
	Etcdpb__TxnRequest t = txn_of(yes, 1);
	t.failure = no;
	t.n_failure = 1;
	rpc_ok("KV/Txn", &t.base, txn_type);
	assert_string_equal(rpc_pairs(rpc_get("k")->kvs, 1), "k=1 ");
}

/* `depth` transactions, one inside the other, each with `width` reads. */
static Etcdpb__TxnRequest *nest(int depth, size_t width)
{
	Etcdpb__TxnRequest *t = ARENA_NEW(rpc_arena(), Etcdpb__TxnRequest);
	Etcdpb__RequestOp *ops = ARENA_ARRAY(rpc_arena(), Etcdpb__RequestOp, width + 1);
	Etcdpb__RequestOp **list = ARENA_ARRAY(rpc_arena(), Etcdpb__RequestOp *, width + 1);
	Etcdpb__RangeRequest *r = ARENA_NEW(rpc_arena(), Etcdpb__RangeRequest);
	*r = range_from_to("a", "");
	for (size_t i = 0; i < width; i++)
		ops[i] = op_range(r);
	if (depth > 1)
		ops[width] = op_txn(nest(depth - 1, width));
	for (size_t i = 0; i <= width; i++)
		list[i] = &ops[i];
	*t = txn_of(list, width + (depth > 1));
	return t;
}

static void limits_of_a_transaction(void **state)
{
	static const char too_many[] = "etcdserver: too many operations in txn request";
	rpc_ok("KV/Txn", &nest(1, 128)->base, txn_type);
	rpc_fails("KV/Txn", &nest(1, 129)->base, GRPC_INVALID_ARGUMENT, too_many);
	rpc_ok("KV/Txn", &nest(2, 63)->base, txn_type);                           /* 64 and 63 */
	rpc_fails("KV/Txn", &nest(2, 64)->base, GRPC_INVALID_ARGUMENT, too_many); /* what is inside counts on top */
	rpc_ok("KV/Txn", &nest(9, 1)->base, txn_type);
	/* etcd has no limit of depth. */
	rpc_fails("KV/Txn", &nest(10, 1)->base, GRPC_INVALID_ARGUMENT,
	        "etcdserver: invalid txn request: it is nested too deeply");
}

static void requests_have_a_size(void **state)
{
	Etcdpb__PutRequest r = put_of("k", "");
	Etcdpb__RequestOp o = op_put(&r), *ops[] = {&o};
	Etcdpb__TxnRequest t = txn_of(ops, 1);
	char *value = arena_zalloc(rpc_arena(), 2000000);
	r.value = (ProtobufCBinaryData){1000000, (uint8_t *)value};
	rpc_ok("KV/Put", &r.base, put_type);
	r.value.len = 1600000;
	rpc_fails("KV/Put", &r.base, GRPC_INVALID_ARGUMENT, "etcdserver: request is too large");
	rpc_fails("KV/Txn", &t.base, GRPC_INVALID_ARGUMENT, "etcdserver: request is too large");
}

/* ---- compaction ---- */

static void compaction(void **state)
{
	Etcdpb__CompactionRequest r = ETCDPB__COMPACTION_REQUEST__INIT;
	static const char compacted[] = "etcdserver: mvcc: required revision has been compacted";
	fill();
	rpc_ok("KV/Compact", &r.base, &etcdpb__header_response__descriptor); /* at 0: nothing was compacted yet */
	r.revision = 9;
	rpc_fails("KV/Compact", &r.base, GRPC_OUT_OF_RANGE, "etcdserver: mvcc: required revision is a future revision");
	r.revision = 5;
	r.physical = true;
	rpc_ok("KV/Compact", &r.base, &etcdpb__header_response__descriptor);
	rpc_fails("KV/Compact", &r.base, GRPC_OUT_OF_RANGE, compacted);
	r.revision = 0;
	rpc_fails("KV/Compact", &r.base, GRPC_OUT_OF_RANGE, compacted);
	Etcdpb__RangeRequest g = range_from_to("p/", "p0");
	g.revision = 4;
	rpc_fails("KV/Range", &g.base, GRPC_OUT_OF_RANGE, compacted);
	g.revision = 5;
	Etcdpb__RangeResponse *m = rpc_ok("KV/Range", &g.base, range_type);
	assert_string_equal(rpc_pairs(m->kvs, m->n_kvs), "p/1=v5 p/2=v4 p/3=v3 p/4=v2 ");
}

static void numbers_below_zero_mean_none(void **state)
{
	rpc_put("p/1", "a");
	rpc_put("p/2", "b");
	Etcdpb__RangeRequest g = range_from_to("p/", "p0");
	g.limit = -5;
	g.revision = -1;
	Etcdpb__RangeResponse *m = rpc_ok("KV/Range", &g.base, range_type);
	assert_string_equal(rpc_pairs(m->kvs, m->n_kvs), "p/1=a p/2=b ");
	g.key = etcd_bytes(SLICE(""));
	rpc_fails("KV/Range", &g.base, GRPC_INVALID_ARGUMENT, "etcdserver: key is not provided");
	Etcdpb__DeleteRangeRequest d = ETCDPB__DELETE_RANGE_REQUEST__INIT;
	d.range_end = etcd_bytes(SLICE("\0"));
	rpc_fails("KV/DeleteRange", &d.base, GRPC_INVALID_ARGUMENT, "etcdserver: key is not provided");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(numbers_below_zero_mean_none, rpc_setup, rpc_teardown),
	        cmocka_unit_test_setup_teardown(options_of_a_range, rpc_setup, rpc_teardown),
	        cmocka_unit_test_setup_teardown(ends_of_a_range, rpc_setup, rpc_teardown),
	        cmocka_unit_test_setup_teardown(ranges_that_are_refused, rpc_setup, rpc_teardown),
	        cmocka_unit_test_setup_teardown(puts_keep_what_they_are_told_to, rpc_setup, rpc_teardown),
	        cmocka_unit_test_setup_teardown(puts_that_are_refused, rpc_setup, rpc_teardown),
	        cmocka_unit_test_setup_teardown(deletions_count_and_show, rpc_setup, rpc_teardown),
	        cmocka_unit_test_setup_teardown(compares, rpc_setup, rpc_teardown),
	        cmocka_unit_test_setup_teardown(transactions_inside_transactions, rpc_setup, rpc_teardown),
	        cmocka_unit_test_setup_teardown(transactions_that_are_refused, rpc_setup, rpc_teardown),
	        cmocka_unit_test_setup_teardown(
	                the_two_branches_of_a_transaction_may_write_one_key, rpc_setup, rpc_teardown),
	        cmocka_unit_test_setup_teardown(limits_of_a_transaction, rpc_setup, rpc_teardown),
	        cmocka_unit_test_setup_teardown(requests_have_a_size, rpc_setup, rpc_teardown),
	        cmocka_unit_test_setup_teardown(compaction, rpc_setup, rpc_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
