/* The arithmetic of rollouts: how many pods each replica set of a deployment may have next. Pure numbers, no API.
 * Upstream: pkg/controller/deployment/{rolling,sync}.go and util/deployment_util.go. */
#ifndef K3X_API_CONTROLLERS_ROLLOUT_H
#define K3X_API_CONTROLLERS_ROLLOUT_H

#include "base/json/json.h"

struct rollout_set {
	int64_t replicas;  /* spec */
	int64_t available; /* status */
	int64_t created_s;
	struct slice name;
	int64_t max_before; /* annotation max-replicas, 0: none */
	int64_t want;       /* result */
};

/* maxSurge (rounded up) and maxUnavailable (down) as numbers; not both are 0. */
void rollout_fenceposts(const struct json *strategy, int64_t replicas, int64_t *surge, int64_t *unavailable);

/* The size the new set may have now; `total` counts all sets, the new one included. */
int64_t rollout_new_replicas(int64_t replicas, int64_t surge, int64_t total, int64_t new_replicas, bool recreate);

/* Sizes of the old sets: first what is not available goes, then as many available ones as can be spared. Sorts `old`.
 * True when a size changes. */
bool rollout_shrink_old(
        struct rollout_set *old, size_t n, const struct rollout_set *fresh, int64_t replicas, int64_t unavailable);

/* Spreads a change of spec.replicas over several active sets in proportion to their sizes. Sorts `active`. */
void rollout_scale(struct rollout_set *active, size_t n, int64_t replicas, int64_t surge, int64_t status_replicas);

/* The pod-template-hash: the template's canonical text and the collision count, hashed and written in the alphabet of
 * generated names. At most 10 letters and a zero byte. */
enum { ROLLOUT_HASH_MAX = 11 };
void rollout_template_hash(const struct json *template, int64_t collisions, char out[ROLLOUT_HASH_MAX]);
/* Equal but for the label pod-template-hash. Both are left as they are. */
bool rollout_same_template(struct arena *a, const struct json *x, const struct json *y);

#endif
