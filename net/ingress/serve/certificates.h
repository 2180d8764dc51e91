/* Which certificate is shown for which name: those of TLS Secrets, and one of our own where none fits. Loop's thread.
 */
#ifndef K3X_NET_INGRESS_SERVE_CERTIFICATES_H
#define K3X_NET_INGRESS_SERVE_CERTIFICATES_H

#include "base/err.h"
#include "net/ingress/route/route_table.h"

struct certificates;

/* cert and key: files of the default certificate; both NULL: one is made. */
int certificates_new(const char *certificate_file, const char *key_file, struct certificates **ret, struct err *err);
void certificates_free(struct certificates *c);
/* What listeners use; borrowed. */
struct tls_context *certificates_context(struct certificates *c);

/* A Secret's PEM texts; key "namespace/name". ERR_INVAL: they are no pair; what was there before goes. */
int certificates_set(
        struct certificates *c, struct slice key, const char *certificate_pem, const char *key_pem, struct err *err);
void certificates_drop(struct certificates *c, struct slice key);
bool certificates_have(const struct certificates *c, struct slice key);
/* By whose routes names are looked up; held by the caller. */
void certificates_follow(struct certificates *c, const struct route_table *t);

#endif
