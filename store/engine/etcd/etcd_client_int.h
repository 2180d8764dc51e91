/* A client of an etcd cluster that blocks, for etcd_log.c: one call at a time and one watch. A loop of its own, on a
 * thread of its own, has the connection. One thread uses it at a time. */
#ifndef K3X_STORE_ENGINE_ETCD_ETCD_CLIENT_INT_H
#define K3X_STORE_ENGINE_ETCD_ETCD_CLIENT_INT_H

#include "base/err.h"
#include "base/mem/arena.h"
#include "store/engine/sql/dsn.h"
#include "store/proto/rpc.pb-c.h"

struct etcd_client;

/* Connects to nobody yet. ERR_INVAL: an endpoint is no URL; what tls_context_new() says of the files. */
int etcd_client_new(const struct dsn *dsn, const struct dsn_tls *tls, struct etcd_client **ret, struct err *err);
void etcd_client_free(struct etcd_client *c);

size_t etcd_client_endpoints(const struct etcd_client *c);
/* The next of the endpoints from now on; the watch is over. */
void etcd_client_turn(struct etcd_client *c);

/* One message out, one back, unpacked into the arena; NULL: failed. ERR_UNAVAILABLE: nobody knows whether it was done;
 * ERR_NO_SPACE, ERR_BUSY, ERR_TOO_BIG, ERR_INVAL, ERR_FORBIDDEN, ERR_UNAUTHENTICATED: it was not. */
void *etcd_client_call(struct etcd_client *c, const char *method, const ProtobufCMessage *request,
        const ProtobufCMessageDescriptor *answer, struct arena *a, struct err *err);

/* Watches a key from a revision on. The descriptor becomes readable whenever something came or the watch has ended. */
void etcd_client_watch(struct etcd_client *c, struct slice key, int64_t revision);
int etcd_client_fd(struct etcd_client *c);
/* Takes it off: the newest revision that was told of. *ret_is_over: nothing more will come. */
int64_t etcd_client_heard(struct etcd_client *c, bool *ret_is_over);

#endif
