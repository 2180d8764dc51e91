/* May somebody do what a request asks? See admit.c. */
#ifndef K3X_STORE_ETCD_AUTH_ADMIT_H
#define K3X_STORE_ETCD_AUTH_ADMIT_H

#include "store/etcd/auth/auth.h"

/* Which keys a lease has is left to the store to look at: it is told by lease_keys_within what the sender may write (in
 * the arena), and *ret_lease_keys_error is the answer when it has others. */
enum etcd_auth_error etcd_admit(const struct etcd_auth_state *auth, const struct etcd_identity *who, struct arena *a,
        struct store_request *req, enum etcd_auth_error *ret_lease_keys_error);
/* May all of these keys be seen? */
enum etcd_auth_error etcd_admit_reading(
        const struct etcd_auth_state *auth, const struct etcd_identity *who, const struct slice *keys, size_t n);

#endif
