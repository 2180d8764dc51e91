/* A request as expressions in CEL see it: the values of the variables of api/machinery/cel/policy_env.h. API loop. */
#ifndef K3X_API_SERVER_ADMISSION_CEL_REQUEST_H
#define K3X_API_SERVER_ADMISSION_CEL_REQUEST_H

#include "api/machinery/cel/authorizer.h"
#include "api/machinery/cel/policy_env.h"
#include "api/server/admission/admission.h"

struct cel_request {
	struct admission *admission;
	struct kube_authorizer authorizer;
	struct cel_value values[POLICY_VARIABLES_MAX]; /* params and variables are null: whoever has some sets them */
};

/* An AdmissionRequest's members (but object and oldObject) as JSON, in the admission's arena; `r`: the row in whose
 * form the object is shown. What a webhook is sent is made of the same. */
struct json *cel_request_json(struct admission *a, const struct resource *r);

/* Fills all of it, in the admission's arena; `out` must stay where it is while its values are used. An error: the
 * object has no such form. */
int cel_request_init(struct cel_request *out, struct admission *a, const struct resource *r, struct err *err);

#endif
