/* A device plugin for tests/integration/resources_node_test.sh: device_plugin DIR RESOURCE LOG DEVICE...
 *
 * A device "a@1" is near to node 1 of the machine's memory. It listens at DIR/test.sock, registers at DIR/kubelet.sock,
 * and writes a line to LOG for each call. A device gets an environment variable, a device node and a file; what is
 * preferred are the last ones. SIGUSR1: the first device is ill, or well again. A device "refuse": Allocate fails. */
#include "base/check.h"
#include "base/mem/arena.h"
#include "base/rt/loop.h"
#include "base/wire/grpc.h"
#include "base/wire/http_client.h"
#include "node/runtime/proto/device_plugin.pb-c.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static struct loop loop;
static struct grpc_stream *watcher;
static const char *resource, *log_file;
static char **devices;
static int devices_count, near_to[32];
static bool first_is_ill;

static void note(const char *what, char *const *ids, size_t n)
{
	FILE *f = fopen(log_file, "a");
	CHECK(f);
	fprintf(f, "%s", what);
	for (size_t i = 0; i < n; i++)
		fprintf(f, " %s", ids[i]);
	fprintf(f, "\n");
	fclose(f);
}

static void answer(struct grpc_stream *s, const ProtobufCMessage *m, bool ends)
{
	size_t n = protobuf_c_message_get_packed_size(m);
	char *bytes = xmalloc(n + 1);
	protobuf_c_message_pack(m, (uint8_t *)bytes);
	grpc_send(s, (struct slice){bytes, n});
	free(bytes);
	if (ends)
		grpc_finish(s, GRPC_OK, NULL);
}

static void tell_devices(void)
{
	V1beta1__ListAndWatchResponse m = V1BETA1__LIST_AND_WATCH_RESPONSE__INIT;
	V1beta1__Device *list[32], all[32];
	V1beta1__NUMANode *nears[32], near[32];
	V1beta1__TopologyInfo places[32];
	for (int i = 0; i < devices_count; i++) {
		v1beta1__device__init(&all[i]);
		all[i].id = devices[i];
		if (near_to[i] >= 0) {
			v1beta1__numanode__init(&near[i]);
			v1beta1__topology_info__init(&places[i]);
			near[i].id = near_to[i];
			nears[i] = &near[i];
			places[i].nodes = &nears[i];
			places[i].n_nodes = 1;
			all[i].topology = &places[i];
		}
		all[i].health = i == 0 && first_is_ill ? "Unhealthy" : "Healthy";
		list[i] = &all[i];
	}
	m.devices = list;
	m.n_devices = (size_t)devices_count;
	if (watcher)
		answer(watcher, &m.base, false);
}

static void allocate(struct grpc_stream *s, struct slice message)
{
	V1beta1__AllocateRequest *q =
	        v1beta1__allocate_request__unpack(NULL, message.len, (const uint8_t *)message.ptr);
	V1beta1__AllocateResponse m = V1BETA1__ALLOCATE_RESPONSE__INIT;
	V1beta1__ContainerAllocateResponse one = V1BETA1__CONTAINER_ALLOCATE_RESPONSE__INIT, *ones[] = {&one};
	V1beta1__Entry env = V1BETA1__ENTRY__INIT, *envs[] = {&env}, mark = V1BETA1__ENTRY__INIT, *marks[] = {&mark};
	V1beta1__DeviceSpec node = V1BETA1__DEVICE_SPEC__INIT, *nodes[] = {&node};
	V1beta1__Mount mount = V1BETA1__MOUNT__INIT, *mounts[] = {&mount};
	struct strbuf ids = STRBUF_INIT;
	CHECK(q && q->n_container_requests == 1);
	V1beta1__ContainerAllocateRequest *c = q->container_requests[0];
	note("Allocate", c->ids, c->n_ids);
	for (size_t i = 0; i < c->n_ids; i++)
		strbuf_addf(&ids, "%s%s", i ? "," : "", c->ids[i]);
	env.key = "TEST_DEVICES";
	env.value = ids.data;
	mark.key = "test/devices";
	mark.value = ids.data;
	node.container_path = "/dev/test-device";
	node.host_path = "/dev/null";
	node.permissions = "rw";
	mount.container_path = "/test-log";
	mount.host_path = (char *)log_file;
	mount.read_only = true;
	one = (V1beta1__ContainerAllocateResponse){.base = one.base,
	        .envs = envs,
	        .n_envs = 1,
	        .mounts = mounts,
	        .n_mounts = 1,
	        .devices = nodes,
	        .n_devices = 1,
	        .annotations = marks,
	        .n_annotations = 1};
	m.container_responses = ones;
	m.n_container_responses = 1;
	if (strcmp(c->ids[0], "refuse") == 0)
		grpc_finish(s, GRPC_UNKNOWN, "this one cannot be had");
	else
		answer(s, &m.base, true);
	strbuf_release(&ids);
	v1beta1__allocate_request__free_unpacked(q, NULL);
}

static void prefer(struct grpc_stream *s, struct slice message)
{
	V1beta1__PreferredAllocationRequest *q =
	        v1beta1__preferred_allocation_request__unpack(NULL, message.len, (const uint8_t *)message.ptr);
	V1beta1__PreferredAllocationResponse m = V1BETA1__PREFERRED_ALLOCATION_RESPONSE__INIT;
	V1beta1__PreferredAnswer one = V1BETA1__PREFERRED_ANSWER__INIT, *ones[] = {&one};
	CHECK(q && q->n_container_requests == 1);
	V1beta1__PreferredContainer *c = q->container_requests[0];
	note("Prefer", c->available, c->n_available);
	one.n_ids = (size_t)c->size;
	one.ids = c->available + c->n_available - c->size;
	m.container_responses = ones;
	m.n_container_responses = 1;
	answer(s, &m.base, true);
	v1beta1__preferred_allocation_request__free_unpacked(q, NULL);
}

static void pre_start(struct grpc_stream *s, struct slice message)
{
	V1beta1__PreStartContainerRequest *q =
	        v1beta1__pre_start_container_request__unpack(NULL, message.len, (const uint8_t *)message.ptr);
	V1beta1__Empty m = V1BETA1__EMPTY__INIT;
	CHECK(q);
	note("PreStart", q->ids, q->n_ids);
	answer(s, &m.base, true);
	v1beta1__pre_start_container_request__free_unpacked(q, NULL);
}

static void take(struct grpc_stream *s, struct slice message, void *arg)
{
	struct slice path = http_request(grpc_exchange(s))->path;
	if (slice_ends(path, "/ListAndWatch")) {
		watcher = s;
		tell_devices();
	} else if (slice_ends(path, "/Allocate")) {
		allocate(s, message);
	} else if (slice_ends(path, "/GetPreferredAllocation")) {
		prefer(s, message);
	} else if (slice_ends(path, "/PreStartContainer")) {
		pre_start(s, message);
	} else {
		grpc_finish(s, GRPC_UNIMPLEMENTED, "no such method");
	}
}

static void aborted(struct grpc_stream *s, void *arg)
{
	if (s == watcher)
		watcher = NULL;
}

static void handle(struct http_exchange *x, void *arg)
{
	static const struct grpc_stream_callbacks callbacks = {.on_message = take, .on_abort = aborted};
	grpc_accept(x, 1 << 20, &callbacks, NULL);
}

static void registered(struct grpc_call *call, int status, const struct err *err, void *arg)
{
	note(err ? err->msg : "registered", NULL, 0);
}

static void toggle(uv_signal_t *h, int number)
{
	first_is_ill = !first_is_ill;
	tell_devices();
}

int main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	char socket[300], kubelet[300], request[600];
	struct http_server *server;
	uv_signal_t usr1;
	CHECK(argc > 4 && argc < 36);
	resource = argv[2];
	log_file = argv[3];
	devices = argv + 4;
	devices_count = argc - 4;
	for (int i = 0; i < devices_count; i++) {
		char *at = strchr(devices[i], '@');
		near_to[i] = at ? atoi(at + 1) : -1;
		if (at)
			*at = 0;
	}
	snprintf(socket, sizeof socket, "%s/test.sock", argv[1]);
	snprintf(kubelet, sizeof kubelet, "%s/kubelet.sock", argv[1]);
	loop_init(&loop, "plugin");
	loop_own(&loop);
	struct http_server_options o = {.loop = &loop, .handler = handle};
	CHECK(http_server_new(&o, &server, &err) == 0 && http_server_listen_unix(server, socket, 0600, &err) == 0);
	uv_signal_init(loop_uv(&loop), &usr1);
	uv_signal_start(&usr1, toggle, SIGUSR1);
	struct http_client_options c = {.loop = &loop, .unix_path = kubelet, .protocol = HTTP_CLIENT_H2};
	struct http_client *client = http_client_new(&c);
	V1beta1__RegisterRequest q = V1BETA1__REGISTER_REQUEST__INIT;
	V1beta1__Options options = V1BETA1__OPTIONS__INIT;
	options.pre_start_required = options.get_preferred_allocation_available = true;
	q.version = "v1beta1";
	q.endpoint = "test.sock";
	q.resource_name = argv[2];
	q.options = &options;
	size_t n = v1beta1__register_request__pack(&q, (uint8_t *)request);
	struct grpc_call_options call = {.method = "/v1beta1.Registration/Register",
	        .timeout_ms = 10000,
	        .request = {request, n},
	        .on_done = registered};
	grpc_client_call(client, &call);
	for (;;)
		loop_turn(&loop);
}
