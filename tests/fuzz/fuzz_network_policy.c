/* A NetworkPolicy and a pod, as the API might have them, through the core: whatever they say, what goes to nft is
 * words, numbers and addresses of ours. The input is a policy's object, a line break, and a pod's. */
#include "base/check.h"
#include "net/policy/policy_core_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* No text of the API gets there but names, which stand in a comment and hold nothing odd. */
static void check_text(struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		CHECK((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || strchr(" \n@.:/-_{},;!=\"", c));
	}
	CHECK(!text.len || text.ptr[text.len - 1] == '\n');
}

static void put(void *arg, struct slice key, struct slice rank, struct slice add, struct slice remove)
{
	check_text(add);
	check_text(remove);
}

static void drop(void *arg, struct slice key)
{
	CHECK(key.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice pod = {(const char *)data, size}, policy = slice_cut(&pod, '\n');
	struct policy_sink sink = {put, drop, NULL};
	struct policy_core *c = policy_core_new(&sink, "n");
	struct rcbuf *packed = policy_pod_pack(pod);
	struct rcbuf *own =
	        policy_pod_pack(SLICE("{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"nodeName\":\"n\"},"
	                              "\"status\":{\"podIP\":\"10.42.0.5\"}}"));
	policy_core_namespace(c, SLICE("ns"), SLICE("{\"metadata\":{\"labels\":{\"a\":\"b\"}}}"));
	policy_core_pod(c, SLICE("ns/own"), own);
	policy_core_pod(c, SLICE("ns/pod"), packed);
	policy_core_policy(c, SLICE("ns/p"), policy);
	policy_core_sync(c);
	policy_core_pod(c, SLICE("ns/pod"), NULL);
	policy_core_policy(c, SLICE("ns/p"), SLICE_NULL);
	policy_core_sync(c);
	policy_core_free(c);
	rcbuf_unref(own);
	rcbuf_unref(packed);
	return 0;
}
