/* The parameters that a binding gives to its policy. API loop. */
#ifndef K3X_API_SERVER_ADMISSION_POLICIES_POLICY_PARAMS_H
#define K3X_API_SERVER_ADMISSION_POLICIES_POLICY_PARAMS_H

#include "api/server/admission/policies/policy.h"

struct policy_params {
	struct json **items; /* trees in the admission's arena; NULL: asked without a parameter */
	size_t count;        /* 0: not asked at all, for parameterNotFoundAction is Allow and there is none */
};

/* An error: why the binding cannot be used. */
int policy_params_get(struct admission *a, const struct policy *p, const struct policy_binding *b,
        struct policy_params *ret, struct err *err);

#endif
