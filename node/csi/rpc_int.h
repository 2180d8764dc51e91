/* Calls to a CSI driver, or to who registers one, over its unix socket. Loop's thread. */
#ifndef K3X_NODE_CSI_RPC_INT_H
#define K3X_NODE_CSI_RPC_INT_H

#include "base/err.h"
#include "base/rt/loop.h"
#include "node/runtime/proto/csi.pb-c.h"

struct rpc_client;

#define CSI(name) Csi__V1__##name

/* Upstream's limit of one call (csiTimeout). */
enum { CSI_CALL_MS = 120000 };

struct rpc_client *rpc_client_new(struct loop *loop, const char *socket);
/* Calls under way end with ERR_CANCELED first, from the loop. closed may be NULL. */
void rpc_client_close(struct rpc_client *c, void (*closed)(void *arg), void *arg);

/* answer: valid during the call; NULL exactly when err is not. Errors read as upstream's: "rpc error: code = Internal
 * desc = no such disk". */
typedef void rpc_done_fn(void *arg, const void *answer, const struct err *err);

/* path: "/csi.v1.Node/NodeStageVolume". done() once, never from inside. */
void rpc_call(struct rpc_client *c, const char *path, const ProtobufCMessage *request,
        const ProtobufCMessageDescriptor *answer, unsigned timeout_ms, rpc_done_fn *done, void *arg);

#endif
