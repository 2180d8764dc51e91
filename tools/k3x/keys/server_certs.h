/* The certificates of a data directory: what each is, and how long it is good. Only files are read; any thread. */
#ifndef K3X_TOOLS_K3X_KEYS_SERVER_CERTS_H
#define K3X_TOOLS_K3X_KEYS_SERVER_CERTS_H

#include "base/pki/pki.h"
#include "tools/k3x/server_settings.h"

enum server_certificate_status {
	SERVER_CERTIFICATE_OK,
	SERVER_CERTIFICATE_NEAR_END, /* the last eighth of its life: it was to be renewed before */
	SERVER_CERTIFICATE_OVER,
};

struct server_certificate {
	const char *place, *service; /* "server/tls/client-admin.crt", "admin" */
	struct pki_info info;
	enum server_certificate_status status;
};

/* fn(arg, c) for each that is there, CAs last. What can't be read is left out. */
void server_certificates_each(
        struct server_settings *s, int64_t now_s, void (*fn)(void *arg, const struct server_certificate *c), void *arg);

/* The same of some leaves alone, 1 << SERVER_LEAF_... */
void server_certificates_each_of(struct server_settings *s, int64_t now_s, unsigned leaves,
        void (*fn)(void *arg, const struct server_certificate *c), void *arg);

/* "ok", "near its end", "over" */
const char *server_certificate_status_text(enum server_certificate_status status);
enum server_certificate_status server_certificate_status(const struct pki_info *info, int64_t now_s);

/* The certificates of a service, as bits 1 << SERVER_LEAF_...; of all for NULL. ERR_INVAL names those there are. */
int server_certificates_of(const char *service, unsigned *ret, struct err *err);

#endif
