/* CRI v1 calls over the runtime's unix socket: one connection, any number of calls at once.
 *
 * A call gets a packed request and gives an unpacked answer, both by the generated descriptors; it ends exactly once,
 * with done() on the loop or with cri_forget(). Errors carry the runtime's words and the code nearest to its gRPC
 * status (ERR_NOT_FOUND for an absent container). All on the loop's thread. */
#ifndef K3X_NODE_RUNTIME_CRI_H
#define K3X_NODE_RUNTIME_CRI_H

#include "base/err.h"
#include "base/mem/arena.h"
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

/* method: "RuntimeService/Version" or "ImageService/...", or a full path of another service of the runtime's
 * ("/containerd.services.snapshots.v1.Snapshots/View"). */
struct cri_call *cri_call(struct cri *c, const char *method, const ProtobufCMessage *request,
        const ProtobufCMessageDescriptor *answer, unsigned timeout_ms, cri_done_fn *done, void *arg);
/* Gives up; done() is not called. What the runtime has begun it may finish. */
void cri_forget(struct cri_call *call);

/* A second runtime in this process, for some of the pods: callers do not know which of the two answers them. */
struct cri_beside {
	/* True: the call is its own, and ends with cri_answer(), not inside of this. The request lives during the call.
	 */
	bool (*take)(void *arg, const char *method, const ProtobufCMessage *request, struct cri_call *call);
	/* The runtime's answer to a list, and what is to be added: a message in the arena, or the same. */
	const void *(*join)(void *arg, const ProtobufCMessage *answer, struct arena *a);
	void *arg;
};
/* The annotation of a sandbox of the runtime's in which the second one runs containers, too: how those who look at the
 * sandbox later know it. */
#define CRI_BESIDE_ANNOTATION "k3x.io/wasm-beside"
/* Once, before the first call; `beside` is copied. It has ended all its calls before cri_close(). */
void cri_set_beside(struct cri *c, const struct cri_beside *beside);
/* Ends a call that was taken: done() is called with these, unless the call was forgotten. */
void cri_answer(struct cri_call *call, const void *answer, const struct err *err);

/* A full method path ("/containerd.services.events.v1.Events/Subscribe") whose answers come as a stream, metadata
 * "containerd-namespace: k8s.io". on_message with NULL: the stream has ended. */
struct cri_call *cri_stream(struct cri *c, const char *path, const ProtobufCMessage *request,
        void (*on_message)(void *arg, struct slice message, const struct err *err), void *arg);

#endif
