/* Who is it, and may it? See admit.c. */
#ifndef K3X_STORE_ETCD_SERVE_ADMIT_H
#define K3X_STORE_ETCD_SERVE_ADMIT_H

#include "base/wire/http.h"
#include "store/etcd/serve/call.h"

/* Who sent this request: a token, or the client's certificate. */
enum etcd_auth_error etcd_identify(
        struct etcd_service *s, struct http_exchange *x, bool is_json, struct etcd_identity *who);
/* May the caller do what c->request asks? Which keys a lease has is left to the store to look at: it is told by
 * lease_keys_within what the caller may write, and c->lease_keys_error is the answer when it has others. */
enum etcd_auth_error etcd_auth_check_call(struct etcd_call *c);
enum etcd_auth_error etcd_auth_check_reading(const struct etcd_call *c, const struct slice *keys, size_t n);

/* Hashes a password, or checks it against a hash, on a thread of the pool; then runs on the loop unless the call has
 * ended. The hash is in the arena; NULL when there was no room for the work: the call is then answered. */
void etcd_password_hash(
        struct etcd_call *c, struct slice password, void (*then)(struct etcd_call *c, struct slice hash));
void etcd_password_check(
        struct etcd_call *c, struct slice password, struct slice hash, void (*then)(struct etcd_call *c, bool fits));

#endif
