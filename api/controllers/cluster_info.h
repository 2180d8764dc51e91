/* Signatures of the ConfigMap kube-public/cluster-info, by which a machine that has nothing but a bootstrap token knows
 * that a cluster is the one it was told of. Pure; results in the arena.
 * Upstream: staging/src/k8s.io/cluster-bootstrap/token/jws. */
#ifndef K3X_API_CONTROLLERS_CLUSTER_INFO_H
#define K3X_API_CONTROLLERS_CLUSTER_INFO_H

#include "base/json/json.h"

/* A bootstrap token that may sign. */
struct signing_token {
	struct slice id, secret;
};

/* False: this Secret (its text) is none, or it may not sign, or its time is over. */
bool signing_token_read(struct arena *a, struct slice secret, int64_t now_s, struct signing_token *ret);

/* A JWS with its content taken out (RFC 7515, appendix F): HS256, the key is the secret. */
struct slice cluster_info_sign(struct arena *a, const struct signing_token *t, struct slice content);

/* Gives `data` of the ConfigMap the signatures of these tokens and no others. True when that changed anything; without
 * a kubeconfig there is nothing to sign, and all go. */
bool cluster_info_update(struct arena *a, struct json *data, const struct signing_token *tokens, size_t count);

#endif
