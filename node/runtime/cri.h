/* CRI v1 calls over the runtime's unix socket: one connection, any number of calls at once.
 *
 * A call gets a packed request and gives an unpacked answer, both by the generated descriptors; it ends exactly once,
 * with done() on the loop or with cri_forget(). Errors carry the runtime's words and the code nearest to its gRPC
 * status (ERR_NOT_FOUND for an absent container). All on the loop's thread. */
#ifndef K3X_NODE_RUNTIME_CRI_H
#define K3X_NODE_RUNTIME_CRI_H

#include "base/err.h"
#include "base/mem/str.h"
#include "base/rt/loop.h"

#undef linux /* gnu11 predefines it; it is a field of the CRI */
#include "node/runtime/proto/cri.pb-c.h"

struct cri;
struct cri_call;

#define CRI(name) Runtime__V1__##name

struct cri *cri_new(struct loop *loop, const char *socket_path);
void cri_close(struct cri *c, void (*closed)(void *arg), void *arg);

/* `answer` lives during the call of done() only; NULL exactly when err is not. */
typedef void cri_done_fn(void *arg, const void *answer, const struct err *err);

/* method: "RuntimeService/Version" or "ImageService/...". */
struct cri_call *cri_call(struct cri *c, const char *method, const ProtobufCMessage *request,
        const ProtobufCMessageDescriptor *answer, unsigned timeout_ms, cri_done_fn *done, void *arg);
/* Gives up; done() is not called. What the runtime has begun it may finish. */
void cri_forget(struct cri_call *call);

/* A full method path ("/containerd.services.events.v1.Events/Subscribe") whose answers come as a stream, metadata
 * "containerd-namespace: k8s.io". on_message with NULL: the stream has ended. */
struct cri_call *cri_stream(struct cri *c, const char *path, const ProtobufCMessage *request,
        void (*on_message)(void *arg, struct slice message, const struct err *err), void *arg);

#endif
