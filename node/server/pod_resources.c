/* See pod_resources.h. A gRPC service of three methods at a socket, upstream's v1. The answers are made of the records
 * at once; nothing is kept between calls but how many there were.
 *
 * What can go wrong: more calls than upstream's limit lets through (100 a second, 10 at once): RESOURCE_EXHAUSTED; Get,
 * whose gate is off unless it is turned on; a pod that is not here. */
#include "node/server/pod_resources.h"

#include "base/check.h"
#include "base/file/file_dirs.h"
#include "base/wire/grpc.h"
#include "node/config/kubelet_config.h"
#include "node/ground/files.h"
#include "node/ground/node_record.h"
#include "node/ground/pod_map.h"
#include "node/ground/pod_record.h"
#include "node/server/pod_resources_int.h"

#include <stdio.h>
#include <stdlib.h>

enum { REQUEST_BYTES_MAX = 65536, CALLS_PER_SECOND = 100, CALLS_AT_ONCE = 10 };

struct pod_resources {
	struct node *n;
	struct http_server *http;
	struct call_limit limit;
	void (*closed)(void *arg);
	void *closed_arg;
};

static void answer(struct grpc_stream *s, const ProtobufCMessage *m)
{
	size_t n = protobuf_c_message_get_packed_size(m);
	char *bytes = arena_alloc(http_arena(grpc_exchange(s)), n + 1);
	protobuf_c_message_pack(m, (uint8_t *)bytes);
	grpc_send(s, (struct slice){bytes, n});
	grpc_finish(s, GRPC_OK, NULL);
}

static void answer_one(struct pod_resources *r, struct grpc_stream *s, struct slice message)
{
	struct arena *a = http_arena(grpc_exchange(s));
	RESOURCES(GetPodResourcesResponse) m = PODRESOURCES__GET_POD_RESOURCES_RESPONSE__INIT;
	if (!kubelet_config_gate(r->n->config, "KubeletPodResourcesGet")) {
		grpc_finish(s, GRPC_UNKNOWN, "PodResources API Get method disabled");
		return;
	}
	RESOURCES(GetPodResourcesRequest) *q =
	        podresources__get_pod_resources_request__unpack(NULL, message.len, (const uint8_t *)message.ptr);
	if (!q) {
		grpc_finish(s, GRPC_INVALID_ARGUMENT, "the request cannot be read");
		return;
	}
	const struct pod *p = node_pod_named(r->n, slice_of(q->pod_namespace), slice_of(q->pod_name));
	if (!p) {
		grpc_finish(s, GRPC_UNKNOWN,
		        arena_printf(a, "pod %.253s in namespace %.63s not found", q->pod_name, q->pod_namespace));
	} else {
		m.pod_resources = pod_resources_of(p, a);
		answer(s, &m.base);
	}
	podresources__get_pod_resources_request__free_unpacked(q, NULL);
}

static void take(struct grpc_stream *s, struct slice message, void *arg)
{
	struct pod_resources *r = arg;
	struct arena *a = http_arena(grpc_exchange(s));
	struct slice method = http_request(grpc_exchange(s))->path;
	if (!call_limit_take(&r->limit, loop_now_ms(r->n->loop)))
		grpc_finish(s, GRPC_RESOURCE_EXHAUSTED, "rejected by rate limit");
	else if (slice_ends(method, "/List"))
		answer(s, &pod_resources_list(r->n, a)->base);
	else if (slice_ends(method, "/GetAllocatableResources"))
		answer(s, &pod_resources_allocatable(r->n, a)->base);
	else
		answer_one(r, s, message);
}

static void handle(struct http_exchange *x, void *arg)
{
	static const char *const methods[] = {"/v1.PodResourcesLister/List",
	        "/v1.PodResourcesLister/GetAllocatableResources", "/v1.PodResourcesLister/Get"};
	static const struct grpc_stream_callbacks callbacks = {.on_message = take};
	bool is_known = false;
	if (!grpc_is_request(x)) {
		http_abort(x);
		return;
	}
	for (size_t i = 0; i < COUNT_OF(methods); i++)
		is_known = is_known || slice_is(http_request(x)->path, methods[i]);
	if (is_known)
		grpc_accept(x, REQUEST_BYTES_MAX, &callbacks, arg);
	else
		grpc_refuse(x, GRPC_UNIMPLEMENTED,
		        "of v1.PodResourcesLister there are List, GetAllocatableResources and Get");
}

int pod_resources_new(struct node *n, struct pod_resources **ret, struct err *err)
{
	char dir[4096], socket[4096 + 32];
	struct pod_resources *r = xcalloc(1, sizeof *r);
	struct http_server_options o = {.loop = n->loop, .handler = handle, .arg = r};
	LOOP_CHECK_OWNER(n->loop);
	r->n = n;
	r->limit = (struct call_limit){CALLS_PER_SECOND, CALLS_AT_ONCE, CALLS_AT_ONCE * 1000, loop_now_ms(n->loop)};
	if (n->o.is_default_data_dir)
		snprintf(dir, sizeof dir, "/var/lib/kubelet/pod-resources");
	else
		snprintf(dir, sizeof dir, "%s/agent/kubelet/pod-resources", n->o.data_dir);
	snprintf(socket, sizeof socket, "%s/kubelet.sock", dir);
	if (file_make_dirs(dir, 0750, err) == 0 && http_server_new(&o, &r->http, err) == 0 &&
	        http_server_listen_unix(r->http, socket, 0600, err) == 0) {
		*ret = r;
		return 0;
	}
	if (r->http)
		http_server_close(r->http, 0, NULL, NULL);
	free(r);
	return err_wrap(err, "pod resources");
}

static void http_closed(void *arg)
{
	struct pod_resources *r = arg;
	void (*closed)(void *) = r->closed;
	void *closed_arg = r->closed_arg;
	free(r);
	closed(closed_arg);
}

void pod_resources_close(struct pod_resources *r, void (*closed)(void *arg), void *arg)
{
	LOOP_CHECK_OWNER(r->n->loop);
	r->closed = closed;
	r->closed_arg = arg;
	http_server_close(r->http, 0, http_closed, r);
}
