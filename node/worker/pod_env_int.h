/* The environment of a container. */
#ifndef K3X_NODE_WORKER_POD_ENV_INT_H
#define K3X_NODE_WORKER_POD_ENV_INT_H

#include "base/err.h"
#include "base/json/json.h"

struct pod;

struct env_var {
	const char *name, *value;
};

struct env {
	struct env_var *vars;
	size_t count, cap;
};

/* ERR_NOT_FOUND: a configMap, secret or key is missing. */
int pod_env(struct pod *p, struct arena *a, const struct json *container, struct env *ret, struct err *err);
const char *env_expand(struct arena *a, struct slice text, const struct env *env);
const char *env_get(const struct env *env, struct slice name);

#endif
