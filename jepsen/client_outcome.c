/* What an error says about a request's effect. The texts are etcd's, of errors that are returned before a request is
 * proposed or by its deterministic refusal when it is applied; they are part of its API, and ours. Everything else is
 * unknown: "request timed out", "leader changed", "server stopped", a cut connection. */
#include "jepsen/client.h"

#include "base/check.h"
#include "base/wire/grpc.h"

static const char *const harmless[] = {
        "connect to ", /* no connection: nothing was sent */
        "etcdserver: too many requests",
        "etcdserver: mvcc: database space exceeded",
        "etcdserver: mvcc: required revision",
        "etcdserver: request is too large",
        "etcdserver: key is not provided",
        "etcdserver: duplicate key given in txn request",
        "etcdserver: too many operations in txn request",
        "etcdserver: requested lease not found",
        "etcdserver: lease already exists",
        "etcdserver: not capable",
        "etcdserver: rpc not supported for learner",
        "etcdserver: unhealthy cluster",
        "etcdserver: member not found",
        "etcdserver: no space",
};

enum client_outcome client_outcome_of(int status, const char *message)
{
	if (status == GRPC_OK)
		return CLIENT_OK;
	if (status == GRPC_INVALID_ARGUMENT || status == GRPC_NOT_FOUND || status == GRPC_ALREADY_EXISTS ||
	        status == GRPC_PERMISSION_DENIED || status == GRPC_OUT_OF_RANGE || status == GRPC_UNIMPLEMENTED)
		return CLIENT_FAIL;
	for (size_t i = 0; i < COUNT_OF(harmless); i++)
		if (strstr(message, harmless[i]))
			return CLIENT_FAIL;
	return CLIENT_INFO;
}
