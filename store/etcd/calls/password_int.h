/* Passwords, on a thread of their own. See password.c. */
#ifndef K3X_STORE_ETCD_CALLS_PASSWORD_INT_H
#define K3X_STORE_ETCD_CALLS_PASSWORD_INT_H

#include "store/etcd/serve/call.h"

/* Hashes a password, or checks it against a hash, on a thread of the pool; then runs on the loop unless the call has
 * ended. The hash is in the arena. When there was no room for the work, or `user` or the client's address have too much
 * of it under way, the call is answered. An empty hash fits nothing, and takes as long to say so as any other. */
void etcd_password_hash(
        struct etcd_call *c, struct slice password, void (*then)(struct etcd_call *c, struct slice hash));
void etcd_password_check(struct etcd_call *c, struct slice user, struct slice password, struct slice hash,
        void (*then)(struct etcd_call *c, bool fits));

#endif
