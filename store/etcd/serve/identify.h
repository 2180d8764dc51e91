/* Who sends a request. See identify.c. */
#ifndef K3X_STORE_ETCD_SERVE_IDENTIFY_H
#define K3X_STORE_ETCD_SERVE_IDENTIFY_H

#include "base/wire/http.h"
#include "store/etcd/serve/service.h"

/* Who sent this request: a token, or the client's certificate. */
enum etcd_auth_error etcd_identify(
        struct etcd_service *s, struct http_exchange *x, bool is_json, struct etcd_identity *who);

#endif
