/* Any bytes as an answer of the container runtime; the first byte says which. */
#include "base/check.h"
#include "base/json/json.h"
#include "node/runtime/cri_read_int.h"
#include "node/wasm/wasm_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_sandboxes(const void *message)
{
	const CRI(ListPodSandboxResponse) *list = message;
	for (size_t i = 0; i < list->n_items; i++) {
		struct cri_owner o;
		if (cri_sandbox_owner(list->items[i], &o))
			CHECK(*o.uid && o.ns && o.pod);
		cri_sandbox_is_beside(list->items[i]);
	}
}

static void read_containers(const void *message)
{
	const CRI(ListContainersResponse) *list = message;
	for (size_t i = 0; i < list->n_containers; i++) {
		const CRI(Container) *c = list->containers[i];
		struct cri_owner o;
		if (cri_container_owner(c, &o))
			CHECK(*o.uid && o.ns && o.pod);
		CHECK(cri_container_name(c) && cri_container_hash(c));
		cri_container_attempt(c);
		CHECK(cri_container_state((int)c->state) <= CONTAINER_UNKNOWN);
	}
}

static void read_status(const void *message)
{
	const CRI(ContainerStatusResponse) *r = message;
	if (r->status)
		CHECK(cri_container_state((int)r->status->state) <= CONTAINER_UNKNOWN && r->status->reason);
}

static void read_sandbox_status(const void *message)
{
	const CRI(PodSandboxStatusResponse) *r = message;
	struct arena a = ARENA_INIT;
	cri_sandbox_ip(message);
	for (size_t i = 0; i < r->n_info; i++) {
		const char *path = beside_network_path(&a, slice_of(r->info[i]->value));
		CHECK(!*path || *path == '/');
	}
	arena_release(&a);
}

static void read_images(const void *message)
{
	struct strbuf b = STRBUF_INIT;
	struct arena a = ARENA_INIT;
	cri_images_json(message, 5, &b);
	CHECK(json_parse(&a, strbuf_slice(&b), NULL, NULL));
	arena_release(&a);
	strbuf_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct {
		const ProtobufCMessageDescriptor *descriptor;
		void (*read)(const void *message);
	} kinds[] = {{&runtime__v1__list_pod_sandbox_response__descriptor, read_sandboxes},
	        {&runtime__v1__list_containers_response__descriptor, read_containers},
	        {&runtime__v1__container_status_response__descriptor, read_status},
	        {&runtime__v1__pod_sandbox_status_response__descriptor, read_sandbox_status},
	        {&runtime__v1__list_images_response__descriptor, read_images}};
	if (!size)
		return 0;
	size_t kind = data[0] % COUNT_OF(kinds);
	ProtobufCMessage *m = protobuf_c_message_unpack(kinds[kind].descriptor, NULL, size - 1, data + 1);
	if (!m)
		return 0;
	kinds[kind].read(m);
	protobuf_c_message_free_unpacked(m, NULL);
	return 0;
}
