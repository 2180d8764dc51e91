/* Passwords, on a thread of their own. See password.c. */
#ifndef K3X_STORE_ETCD_CALLS_PASSWORD_INT_H
#define K3X_STORE_ETCD_CALLS_PASSWORD_INT_H

#include "store/etcd/serve/call.h"

/* Hashes a password, or checks it against a hash, on a thread of the pool; then runs on the loop unless the call has
 * ended. The hash is in the arena; NULL when there was no room for the work: the call is then answered. */
void etcd_password_hash(
        struct etcd_call *c, struct slice password, void (*then)(struct etcd_call *c, struct slice hash));
void etcd_password_check(
        struct etcd_call *c, struct slice password, struct slice hash, void (*then)(struct etcd_call *c, bool fits));

#endif
