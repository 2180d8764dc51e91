/* What the signers of kubernetes.io sign: rules on a CertificateSigningRequest's spec, as upstream has them
 * (https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/). Pure, any thread. */
#ifndef K3X_API_MACHINERY_RULES_GROUPS_SIGNERS_H
#define K3X_API_MACHINERY_RULES_GROUPS_SIGNERS_H

#include "base/json/json.h"
#include "base/pki/pki_request.h"

#define SIGNER_CLIENT "kubernetes.io/kube-apiserver-client"
#define SIGNER_KUBELET_CLIENT "kubernetes.io/kube-apiserver-client-kubelet"
#define SIGNER_KUBELET_SERVING "kubernetes.io/kubelet-serving"
#define SIGNER_LEGACY "kubernetes.io/legacy-unknown"

enum { SIGNER_SECONDS_MIN = 600, SIGNER_SECONDS_DEFAULT = 365 * 24 * 3600, SIGNER_USAGES_MAX = 32 };

struct signer_request {
	struct slice csr_pem; /* decoded */
	struct pki_request_info info;
	struct slice signer, username;
	struct slice usages[SIGNER_USAGES_MAX];
	size_t n_usages;
	int64_t seconds; /* asked for, at most the default */
};

/* Of an object's spec; texts in the arena or of the spec. ERR_INVAL says what does not read. */
int signer_request_read(struct arena *a, const struct json *spec, struct signer_request *ret, struct err *err);

/* NULL: the signer that it names may sign it; else why not. Of signers that are not ours: NULL as well. */
const char *signer_check(const struct signer_request *r);

/* Is it of one of ours? */
bool signer_is_known(struct slice signer);

/* "example.com" of "example.com/name"; empty: it is not qualified. */
struct slice signer_domain(struct slice signer);

#endif
