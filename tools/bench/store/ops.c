/* The requests of the loads, in the shape Kubernetes gives them: keys like those of a registry, writes as a
 * compare-and-swap on the revision that was read, with a read for the case that it lost.
 *
 * Reads and plain writes go through all keys, a client beginning where its number says; a client that swaps has one
 * key for itself, so that swaps fail only once, when it does not know the revision yet. */
#include "tools/bench/store/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static ProtobufCBinaryData bytes_of(const void *data, size_t len)
{
	return (ProtobufCBinaryData){len, (uint8_t *)data};
}

static ProtobufCBinaryData key_of(struct load_client *c, const char *kind, uint64_t n)
{
	struct load *l = c->load;
	int len = snprintf(c->key, sizeof c->key, "/registry/%s-%zu/namespace-%02u/object-%06u", kind, l->value_bytes,
	        (unsigned)(n % 64), (unsigned)n);
	return bytes_of(c->key, (size_t)len);
}

/* The key a client's turn is about: each client goes through all of them, from another place. */
static ProtobufCBinaryData next_key(struct load_client *c)
{
	struct load *l = c->load;
	return key_of(c, "pods", (c->turn * 7 + (uint64_t)c->id * 997) % l->keys);
}

static ProtobufCBinaryData next_value(struct load_client *c)
{
	struct load *l = c->load;
	return bytes_of(load_value_at(c->turn << 16 | (uint64_t)c->id, l->value_bytes), l->value_bytes);
}

static void pack(struct load_client *c, const ProtobufCMessage *m)
{
	CHECK(protobuf_c_message_get_packed_size(m) <= c->buffer_bytes);
	c->message = (struct slice){c->buffer, protobuf_c_message_pack(m, (uint8_t *)c->buffer)};
}

static const char *make_put(struct load_client *c)
{
	Etcdpb__PutRequest r = ETCDPB__PUT_REQUEST__INIT;
	r.key = next_key(c);
	r.value = next_value(c);
	c->is_read = false;
	pack(c, &r.base);
	return "/etcdserverpb.KV/Put";
}

/* Every key once, before others read them. */
static const char *make_fill(struct load_client *c)
{
	Etcdpb__PutRequest r = ETCDPB__PUT_REQUEST__INIT;
	r.key = key_of(c, "pods", (c->load->started - 1) % c->load->keys);
	r.value = next_value(c);
	pack(c, &r.base);
	return "/etcdserverpb.KV/Put";
}

/* A put of a Pod: each object is one that is updated again and again. */
static const char *put_pod(struct load_client *c, uint64_t n)
{
	CLEANUP(cleanup_strbuf) struct strbuf pod = STRBUF_INIT;
	Etcdpb__PutRequest r = ETCDPB__PUT_REQUEST__INIT;
	load_pod(&pod, (unsigned)n, c->turn * 1000 + c->id);
	r.key = key_of(c, "pods", n);
	r.value = bytes_of(pod.data, pod.len);
	pack(c, &r.base);
	return "/etcdserverpb.KV/Put";
}

static const char *make_put_pod(struct load_client *c)
{
	return put_pod(c, (c->turn * 7 + (uint64_t)c->id * 997) % c->load->keys);
}

static const char *make_fill_pod(struct load_client *c)
{
	return put_pod(c, (c->load->started - 1) % c->load->keys);
}

static const char *make_read(struct load_client *c, bool is_stale)
{
	Etcdpb__RangeRequest r = ETCDPB__RANGE_REQUEST__INIT;
	r.key = next_key(c);
	r.serializable = is_stale;
	c->is_read = true;
	pack(c, &r.base);
	return "/etcdserverpb.KV/Range";
}

static const char *make_range(struct load_client *c)
{
	return make_read(c, false);
}

static const char *make_stale_range(struct load_client *c)
{
	return make_read(c, true);
}

static const char *make_mixed(struct load_client *c)
{
	return c->turn % 10 == 9 ? make_put(c) : make_read(c, false);
}

/* All keys are there, so an answer without the value is a wrong one. */
static bool check_read(struct load_client *c, struct slice message)
{
	return !c->is_read || message.len > c->load->value_bytes;
}

/* ---- compare and swap ---- */

static const char *make_swap(struct load_client *c)
{
	Etcdpb__TxnRequest r = ETCDPB__TXN_REQUEST__INIT;
	Etcdpb__Compare compare = ETCDPB__COMPARE__INIT, *compares = &compare;
	Etcdpb__RequestOp then = ETCDPB__REQUEST_OP__INIT, *thens = &then;
	Etcdpb__RequestOp other = ETCDPB__REQUEST_OP__INIT, *others = &other;
	Etcdpb__PutRequest put = ETCDPB__PUT_REQUEST__INIT;
	Etcdpb__RangeRequest range = ETCDPB__RANGE_REQUEST__INIT;
	compare.key = put.key = range.key = key_of(c, "swaps", c->id);
	compare.target = 2;
	compare.target_union_case = ETCDPB__COMPARE__TARGET_UNION_MOD_REVISION;
	compare.mod_revision = c->revision;
	put.value = next_value(c);
	then.request_case = ETCDPB__REQUEST_OP__REQUEST_REQUEST_PUT;
	then.request_put = &put;
	other.request_case = ETCDPB__REQUEST_OP__REQUEST_REQUEST_RANGE;
	other.request_range = &range;
	r.compare = &compares, r.success = &thens, r.failure = &others;
	r.n_compare = r.n_success = r.n_failure = 1;
	pack(c, &r.base);
	return "/etcdserverpb.KV/Txn";
}

static void *alloc_in_arena(void *arena, size_t size)
{
	return arena_alloc(arena, size);
}

static void free_in_arena(void *arena, void *p)
{
}

static bool check_swap(struct load_client *c, struct slice message)
{
	ProtobufCAllocator allocator = {alloc_in_arena, free_in_arena, &c->arena};
	arena_reset(&c->arena);
	Etcdpb__TxnResponse *r = etcdpb__txn_response__unpack(&allocator, message.len, (const uint8_t *)message.ptr);
	if (!r || !r->header || r->n_responses != 1)
		return false;
	if (r->succeeded) {
		c->revision = r->header->revision;
		return true;
	}
	c->load->conflicts++;
	Etcdpb__RangeResponse *range = r->responses[0]->response_range;
	if (r->responses[0]->response_case != ETCDPB__RESPONSE_OP__RESPONSE_RESPONSE_RANGE)
		return false;
	c->revision = range->n_kvs ? range->kvs[0]->mod_revision : 0;
	return true;
}

/* ---- leases ---- */

static const char *make_grant(struct load_client *c)
{
	Etcdpb__LeaseGrantRequest r = ETCDPB__LEASE_GRANT_REQUEST__INIT;
	c->lease = (int64_t)(load_now_ns() & 0x7fffffffffff) * 1024 + c->id;
	r.id = c->lease;
	r.ttl = 3600;
	pack(c, &r.base);
	return "/etcdserverpb.Lease/LeaseGrant";
}

static const char *make_keepalive(struct load_client *c)
{
	Etcdpb__LeaseKeepAliveRequest r = ETCDPB__LEASE_KEEP_ALIVE_REQUEST__INIT;
	r.id = c->lease;
	pack(c, &r.base);
	return "/etcdserverpb.Lease/LeaseKeepAlive";
}

static bool check_keepalive(struct load_client *c, struct slice message)
{
	ProtobufCAllocator allocator = {alloc_in_arena, free_in_arena, &c->arena};
	arena_reset(&c->arena);
	Etcdpb__LeaseKeepAliveResponse *r =
	        etcdpb__lease_keep_alive_response__unpack(&allocator, message.len, (const uint8_t *)message.ptr);
	return r && r->id == c->lease && r->ttl > 0;
}

const struct load_kind load_put = {.name = "put", .what = "put", .make = make_put};
const struct load_kind load_fill = {.name = "fill", .what = "fill", .make = make_fill};
const struct load_kind load_put_pod = {.name = "put_pod", .what = "put of a Pod", .make = make_put_pod};
const struct load_kind load_fill_pod = {.name = "fill_pod", .what = "fill with Pods", .make = make_fill_pod};
const struct load_kind load_range = {
        .name = "range", .what = "linearizable range", .make = make_range, .check = check_read};
const struct load_kind load_stale_range = {
        .name = "serializable_range", .what = "serializable range", .make = make_stale_range, .check = check_read};
const struct load_kind load_swap = {
        .name = "compare_and_swap", .what = "compare-and-swap txn", .make = make_swap, .check = check_swap};
const struct load_kind load_mixed = {
        .name = "mixed_90_10", .what = "90% range, 10% put", .make = make_mixed, .check = check_read};
const struct load_kind load_keepalive = {.name = "lease_keepalive",
        .what = "lease keepalive",
        .make = make_keepalive,
        .check = check_keepalive,
        .is_stream = true,
        .begin = make_grant};
