/* An EncryptionConfiguration (apiserver.config.k8s.io/v1): which resources are stored how. Read once, then immutable:
 * any thread. */
#ifndef K3X_API_SERVER_SEALING_CONFIG_H
#define K3X_API_SERVER_SEALING_CONFIG_H

#include "api/server/sealing/kms.h"
#include "base/mem/arena.h"
#include "base/pki/pki_cipher.h"

/* One key of one provider; as written, the text has its prefix before it. */
struct sealing_key {
	bool is_identity; /* plain text: no prefix, no key */
	enum pki_cipher cipher;
	struct slice name;
	struct slice prefix; /* "k8s:enc:aescbc:v1:key1:" */
	struct slice secret;
	const struct kms_config *kms; /* a plugin's, instead of cipher and secret; NULL: it is none */
	struct kms *plugin;           /* the sealer's to set and to end */
};

struct sealing_rule {
	struct slice *resources; /* "secrets", "deployments.apps", "*.apps", "*." (the core group), "*.*" */
	size_t n_resources;
	struct sealing_key *keys; /* of all its providers, in order: the first writes, all read */
	size_t n_keys;
};

struct sealing_config {
	struct arena arena;
	struct sealing_rule *rules;
	size_t n_rules;
	char hash[65]; /* SHA-256 of the text, hex */
};

#define SEALING_PREFIX "k8s:enc:"

/* YAML or JSON. ERR_INVAL names the field; ERR_UNIMPLEMENTED: a provider that is not built (kms of apiVersion v1). */
int sealing_config_parse(struct slice text, struct sealing_config **ret, struct err *err);
int sealing_config_load(const char *path, struct sealing_config **ret, struct err *err);
void sealing_config_free(struct sealing_config *c); /* NULL is allowed */

/* The first rule for a resource; NULL: it is stored as it is. */
const struct sealing_rule *sealing_config_find(const struct sealing_config *c, const char *group, const char *plural);

#endif
