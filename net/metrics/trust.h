/* How this server and the API server believe each other: a certificate of its own making, put into the APIService, and
 * the CA of the API server's proxy, read from the ConfigMap kube-system/extension-apiserver-authentication. On the
 * client's loop. */
#ifndef K3X_NET_METRICS_TRUST_H
#define K3X_NET_METRICS_TRUST_H

#include "api/client/client.h"
#include "base/err.h"

struct tls_context;
struct trust;

struct trust_options {
	struct client *client;
	const char *service, *ns; /* whose names the certificate has */
	const char *api_service;  /* "v1beta1.metrics.k8s.io" */
	/* Whom to believe, or what the certificate is, has changed: `tls` is for new connections; a reference is given.
	 */
	void (*changed)(void *arg, struct tls_context *tls);
	void *arg;
};

/* Calls changed() for the first time when the ConfigMap is read. ERR_*: no certificate could be made. */
int trust_new(const struct trust_options *options, struct trust **ret, struct err *err);
void trust_close(struct trust *t, void (*closed)(void *arg), void *arg);

/* For the time before the first changed(): nobody is believed. */
int trust_first(struct trust *t, struct tls_context **ret, struct err *err);

/* May a proxy whose certificate has this name say for whom it asks? */
bool trust_allows(const struct trust *t, struct slice common_name);

/* Pure, for tests: `own` and the newest certificates of `known` (both PEM) that are still good; at most
 * METRICS_BUNDLE_CERTIFICATES_MAX. Appends. */
void trust_bundle(struct strbuf *out, const char *own, const char *known, int64_t now_s);

#endif
