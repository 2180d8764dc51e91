/* Asks the pod resources API: pod_resources SOCKET METHOD [NAMESPACE NAME | COUNT]
 *
 * A line for each container: "NAMESPACE/POD CONTAINER cpus=0,1 devices=RESOURCE:ID@NODE memory=TYPE:BYTES@NODE", of
 * what can be given out "allocatable - cpus=...". COUNT: the method is called so often at once, and only its statuses
 * are counted. */
#include "base/check.h"
#include "base/mem/arena.h"
#include "base/rt/loop.h"
#include "base/wire/grpc.h"
#include "base/wire/http_client.h"
#include "node/runtime/proto/pod_resources.pb-c.h"

#include <stdio.h>
#include <stdlib.h>

static struct loop loop;
static const char *method;
static unsigned left, well, refused;

static void print_nodes(const Podresources__TopologyInfo *t)
{
	for (size_t i = 0; t && i < t->n_nodes; i++)
		printf("@%lld", (long long)t->nodes[i]->id);
}

static void print_all(const int64_t *cpus, size_t n, Podresources__ContainerDevices **devices, size_t devices_count,
        Podresources__ContainerMemory **memory, size_t memory_count)
{
	printf(" cpus=");
	for (size_t i = 0; i < n; i++)
		printf("%s%lld", i ? "," : "", (long long)cpus[i]);
	for (size_t i = 0; i < devices_count; i++) {
		printf(" devices=%s:%s", devices[i]->resource_name, devices[i]->device_ids[0]);
		print_nodes(devices[i]->topology);
	}
	for (size_t i = 0; i < memory_count; i++) {
		printf(" memory=%s:%llu", memory[i]->memory_type, (unsigned long long)memory[i]->size);
		print_nodes(memory[i]->topology);
	}
	printf("\n");
}

static void print_pod(const Podresources__PodResources *p)
{
	for (size_t i = 0; i < p->n_containers; i++) {
		const Podresources__ContainerResources *c = p->containers[i];
		printf("%s/%s %s", p->namespace_, p->name, c->name);
		print_all(c->cpu_ids, c->n_cpu_ids, c->devices, c->n_devices, c->memory, c->n_memory);
	}
}

static void told(struct grpc_call *call, struct slice m, void *arg)
{
	const uint8_t *bytes = (const uint8_t *)m.ptr;
	if (arg)
		return;
	if (strcmp(method, "List") == 0) {
		Podresources__ListPodResourcesResponse *r =
		        podresources__list_pod_resources_response__unpack(NULL, m.len, bytes);
		CHECK(r);
		for (size_t i = 0; i < r->n_pod_resources; i++)
			print_pod(r->pod_resources[i]);
	} else if (strcmp(method, "Get") == 0) {
		Podresources__GetPodResourcesResponse *r =
		        podresources__get_pod_resources_response__unpack(NULL, m.len, bytes);
		CHECK(r && r->pod_resources);
		print_pod(r->pod_resources);
	} else {
		Podresources__AllocatableResourcesResponse *r =
		        podresources__allocatable_resources_response__unpack(NULL, m.len, bytes);
		CHECK(r);
		printf("allocatable -");
		print_all(r->cpu_ids, r->n_cpu_ids, r->devices, r->n_devices, r->memory, r->n_memory);
	}
}

static void done(struct grpc_call *call, int status, const struct err *err, void *arg)
{
	well += status == GRPC_OK;
	refused += status == GRPC_RESOURCE_EXHAUSTED;
	if (err && !arg)
		printf("%s: %s\n", grpc_status_name(status), err->msg);
	left--;
}

int main(int argc, char **argv)
{
	char path[100], request[600];
	Podresources__GetPodResourcesRequest q = PODRESOURCES__GET_POD_RESOURCES_REQUEST__INIT;
	CHECK(argc >= 3 && argc <= 5);
	method = argv[2];
	snprintf(path, sizeof path, "/v1.PodResourcesLister/%s", method);
	if (argc == 5) {
		q.pod_namespace = argv[3];
		q.pod_name = argv[4];
	}
	loop_init(&loop, "asker");
	loop_own(&loop);
	struct http_client_options o = {.loop = &loop, .unix_path = argv[1], .protocol = HTTP_CLIENT_H2};
	struct http_client *client = http_client_new(&o);
	unsigned count = argc == 4 ? (unsigned)atoi(argv[3]) : 1;
	struct grpc_call_options call = {.method = path,
	        .timeout_ms = 10000,
	        .request = {request, podresources__get_pod_resources_request__pack(&q, (uint8_t *)request)},
	        .on_message = told,
	        .on_done = done,
	        .arg = argc == 4 ? argv[3] : NULL};
	for (unsigned i = 0; i < count; i++) {
		left++;
		grpc_client_call(client, &call);
	}
	while (left)
		loop_turn(&loop);
	if (argc == 4)
		printf("well=%u refused=%u\n", well, refused);
	return well ? 0 : 1;
}
