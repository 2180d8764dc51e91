/* Any text as the body of a request to the JSON gateway: the first byte picks the method. */
#include "base/check.h"
#include "store/etcd/serve/method.h"
#include "store/proto/json.h"
#include "store/proto/rpc.pb-c.h"
#include "store/proto/unpack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = ARENA_INIT;
	struct strbuf out = STRBUF_INIT;
	struct err err = ERR_INIT;
	ProtobufCMessage *m;
	size_t n;
	const struct etcd_method *methods = etcd_methods(&n);
	if (!size)
		return 0;
	struct slice text = {(const char *)data + 1, size - 1};
	size_t first = etcd_json_first(text);
	CHECK(first <= text.len);
	if (etcd_json_read(&a, methods[(data[0] - ' ') % n].request, text, &m, &err) == 0) {
		size_t len = protobuf_c_message_get_packed_size(m);
		uint8_t *bytes = arena_alloc(&a, len + 1);
		protobuf_c_message_pack(m, bytes);
		CHECK(etcd_message_unpack(&a, m->descriptor, (struct slice){(const char *)bytes, len}));
		etcd_json_write(&out, m);
	} else {
		CHECK(err.msg[0]);
	}
	strbuf_release(&out);
	arena_release(&a);
	return 0;
}
