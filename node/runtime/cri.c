/* See cri.h. What can go wrong: the runtime is away (every call fails with ERR_UNAVAILABLE or ERR_CLOSED at once or at
 * its timeout; callers try again), an answer that is no message (ERR_PROTOCOL). */
#include "node/runtime/cri.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/mem/arena.h"
#include "base/wire/grpc.h"

#include <stdio.h>
#include <stdlib.h>

struct cri {
	struct loop *loop;
	struct http_client *http;
	struct cri_beside beside;
};

struct cri_call {
	struct cri *cri;
	struct grpc_call *grpc; /* NULL: the second runtime's */
	const ProtobufCMessageDescriptor *descriptor;
	ProtobufCMessage *answer;
	cri_done_fn *done;
	void (*on_message)(void *arg, struct slice message, const struct err *err);
	void *arg;
	bool broken;
};

#define CRI_PATH "/runtime.v1."
enum { CRI_CONNECT_MS = 5000, CRI_IDLE_MS = 0x3fffffff };

struct cri *cri_new(struct loop *loop, const char *socket_path)
{
	LOOP_CHECK_OWNER(loop);
	struct cri *c = xcalloc(1, sizeof *c);
	struct http_client_options o = {.loop = loop,
	        .unix_path = socket_path,
	        .protocol = HTTP_CLIENT_H2,
	        .connect_ms = CRI_CONNECT_MS,
	        .idle_ms = CRI_IDLE_MS};
	c->loop = loop;
	c->http = http_client_new(&o);
	return c;
}

void cri_close(struct cri *c, void (*closed)(void *arg), void *arg)
{
	LOOP_CHECK_OWNER(c->loop);
	http_client_close(c->http, closed, arg);
	free(c);
}

static void got_message(struct grpc_call *g, struct slice message, void *arg)
{
	struct cri_call *call = arg;
	if (call->on_message) {
		call->on_message(call->arg, message, NULL);
		return;
	}
	if (call->answer)
		protobuf_c_message_free_unpacked(call->answer, NULL);
	call->answer = protobuf_c_message_unpack(call->descriptor, NULL, message.len, (const uint8_t *)message.ptr);
	call->broken = !call->answer;
}

static void pass_on(struct cri_call *call, const struct err *e)
{
	const struct cri_beside *beside = &call->cri->beside;
	struct arena a = ARENA_INIT;
	const void *answer = call->answer;
	if (!e->code && beside->join)
		answer = beside->join(beside->arg, answer, &a);
	call->done(call->arg, e->code ? NULL : answer, e->code ? e : NULL);
	arena_release(&a);
}

static void finished(struct grpc_call *g, int status, const struct err *err, void *arg)
{
	CHECK(((struct cri_call *)arg)->done || ((struct cri_call *)arg)->on_message);
	struct cri_call *call = arg;
	struct err e = ERR_INIT;
	if (err)
		e = *err;
	else if (call->on_message)
		err_set(&e, ERR_CLOSED, "the stream ended");
	else if (call->broken || !call->answer)
		err_set(&e, ERR_PROTOCOL, "the runtime's answer cannot be read");
	if (call->on_message)
		call->on_message(call->arg, SLICE_NULL, &e);
	else
		pass_on(call, &e);
	if (call->answer)
		protobuf_c_message_free_unpacked(call->answer, NULL);
	free(call);
}

static void start(
        struct cri *c, struct cri_call *call, const char *path, const ProtobufCMessage *request, unsigned timeout_ms)
{
	static const struct http_header metadata[] = {{{"containerd-namespace", 20}, {"k8s.io", 6}}};
	size_t size = protobuf_c_message_get_packed_size(request);
	char *bytes = xmalloc(size + 1);
	protobuf_c_message_pack(request, (uint8_t *)bytes);
	struct grpc_call_options o = {.method = path,
	        .timeout_ms = timeout_ms,
	        .message_bytes_max = CRI_ANSWER_BYTES_MAX,
	        .metadata = metadata,
	        .metadata_count = strncmp(path, CRI_PATH, sizeof CRI_PATH - 1) != 0,
	        .request = {bytes, size},
	        .on_message = got_message,
	        .on_done = finished,
	        .arg = call};
	call->grpc = grpc_client_call(c->http, &o);
	free(bytes);
}

struct cri_call *cri_call(struct cri *c, const char *method, const ProtobufCMessage *request,
        const ProtobufCMessageDescriptor *answer, unsigned timeout_ms, cri_done_fn *done, void *arg)
{
	LOOP_CHECK_OWNER(c->loop);
	CHECK(done && answer);
	char path[128] = "";
	struct cri_call *call = xcalloc(1, sizeof *call);
	*call = (struct cri_call){.cri = c, .descriptor = answer, .done = done, .arg = arg};
	if (c->beside.take && c->beside.take(c->beside.arg, method, request, call))
		return call;
	snprintf(path, sizeof path, "%s%s", *method == '/' ? "" : CRI_PATH, method);
	start(c, call, path, request, timeout_ms);
	return call;
}

void cri_set_beside(struct cri *c, const struct cri_beside *beside)
{
	LOOP_CHECK_OWNER(c->loop);
	CHECK(!c->beside.take);
	c->beside = *beside;
}

void cri_answer(struct cri_call *call, const void *answer, const struct err *err)
{
	CHECK(!call->grpc && !answer == (err && err->code));
	if (call->done)
		call->done(call->arg, answer, answer ? NULL : err);
	free(call);
}

struct cri_call *cri_stream(struct cri *c, const char *path, const ProtobufCMessage *request,
        void (*on_message)(void *arg, struct slice message, const struct err *err), void *arg)
{
	LOOP_CHECK_OWNER(c->loop);
	CHECK(on_message && *path == '/');
	struct cri_call *call = xcalloc(1, sizeof *call);
	call->cri = c;
	call->on_message = on_message;
	call->arg = arg;
	start(c, call, path, request, 0);
	return call;
}

void cri_forget(struct cri_call *call)
{
	if (!call->grpc) {
		call->done = NULL; /* cri_answer() frees it */
		return;
	}
	grpc_call_cancel(call->grpc);
	if (call->answer)
		protobuf_c_message_free_unpacked(call->answer, NULL);
	free(call);
}
