/* Any bytes as the request of any method, and as records of users and roles: unpacked, written as JSON, read back,
 * written again: the same text must come out twice. The first byte picks the method. */
#include "base/check.h"
#include "store/etcd/auth/auth.h"
#include "store/etcd/serve/method.h"
#include "store/proto/json.h"
#include "store/proto/rpc.pb-c.h"
#include "store/proto/unpack.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip(const ProtobufCMessageDescriptor *type, struct slice bytes)
{
	struct arena a = ARENA_INIT;
	struct strbuf text = STRBUF_INIT, again = STRBUF_INIT;
	struct err err = ERR_INIT;
	ProtobufCMessage *m = etcd_message_unpack(&a, type, bytes), *back;
	if (m) {
		etcd_json_write(&text, m);
		/* What is no UTF-8 becomes something else, once. */
		if (etcd_json_read(&a, type, strbuf_slice(&text), &back, &err) == 0) {
			etcd_json_write(&again, back);
			CHECK(slice_eq(strbuf_slice(&text), strbuf_slice(&again)));
			CHECK(etcd_json_first(strbuf_slice(&text)) == text.len);
		}
	}
	strbuf_release(&text);
	strbuf_release(&again);
	arena_release(&a);
}

static void as_records(struct slice bytes)
{
	struct store_system_entry entries[] = {{.key = SLICE("auth/enabled"), .value = SLICE("1")},
	        {.key = SLICE("auth/role/r"), .value = bytes}, {.key = SLICE("auth/user/u"), .value = bytes}};
	struct etcd_auth_state *s = etcd_auth_state_new(entries, COUNT_OF(entries));
	struct etcd_identity who = {true, s->n_users ? s->users[0].name : SLICE("u"), s->revision};
	struct store_key_range keys = {bytes, SLICE_NULL}, all = {SLICE("\0"), SLICE("\0")};
	etcd_auth_check_range(s, &who, &keys, false);
	etcd_auth_check_range(s, &who, &all, true);
	etcd_auth_state_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t n;
	const struct etcd_method *methods = etcd_methods(&n);
	if (!size)
		return 0;
	struct slice bytes = {(const char *)data + 1, size - 1};
	round_trip(methods[data[0] % n].request, bytes);
	as_records(bytes);
	return 0;
}
