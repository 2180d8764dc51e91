/* Where device plugins register: a gRPC service at a socket. Loop's thread. */
#ifndef K3X_NODE_DEVICES_REGISTRATION_INT_H
#define K3X_NODE_DEVICES_REGISTRATION_INT_H

#include "base/err.h"
#include "base/rt/loop.h"

struct registration;

struct registration_request {
	const char *endpoint, *resource; /* the name of its socket, in our folder */
	bool has_preferred, needs_pre_start;
};

/* on_register: of a request that is right; may refuse it with an error. */
int registration_new(struct loop *loop, const char *socket,
        int (*on_register)(void *arg, const struct registration_request *r, struct err *err), void *arg,
        struct registration **ret, struct err *err);
void registration_close(struct registration *r, void (*closed)(void *arg), void *arg);

/* Pure: version, the resource's name, the endpoint. ERR_INVAL says what is wrong. */
int registration_check(const char *version, const char *endpoint, const char *resource, struct err *err);

#endif
