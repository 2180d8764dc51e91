/* Which credentials of a pod's pull secrets are for an image. Pure; any thread. */
#ifndef K3X_NODE_RUNTIME_PULL_SECRETS_H
#define K3X_NODE_RUNTIME_PULL_SECRETS_H

#include "base/json/json.h"
#include "node/runtime/image.h"

struct pull_keyring {
	struct arena *arena;
	struct pull_entry *entries; /* the most particular first */
	size_t count, cap;
};

/* Empty; what is added lives in the arena, which must outlive it. */
void pull_keyring_init(struct pull_keyring *k, struct arena *a);
/* Takes what a Secret of either type says (.dockerconfigjson, .dockercfg). False: it says nothing that can be read;
 * what could be read before is kept. */
bool pull_keyring_add(struct pull_keyring *k, const struct json *secret);
/* The credentials for an image in the order they are to be tried, in the keyring's arena; *ret_count 0: none. */
struct image_credential *pull_keyring_find(const struct pull_keyring *k, const char *image, size_t *ret_count);

#endif
