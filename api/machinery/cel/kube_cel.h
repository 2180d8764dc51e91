/* The environment of Kubernetes' expressions, and upstream's limits for them (apiserver pkg/apis/cel/config.go). */
#ifndef K3X_API_MACHINERY_CEL_KUBE_CEL_H
#define K3X_API_MACHINERY_CEL_KUBE_CEL_H

#include "base/cel/library.h"

/* What one evaluation may cost, all of one object (or policy binding), and all match conditions of one. */
#define KUBE_CEL_CALL_COST_MAX 1000000u
#define KUBE_CEL_BUDGET 10000000
#define KUBE_CEL_MATCH_BUDGET 2500000
/* Of what a messageExpression may say. */
#define KUBE_CEL_MESSAGE_BYTES_MAX (5u * 1024)

/* Made once for the process. Any thread. */
const struct cel_env *kube_cel_env(void);

/* What a messageExpression came to, trimmed; or SLICE_NULL, and why in `why` ("should evaluate to a non-empty string").
 * `v` is of a run that has ended. */
struct slice kube_cel_message(struct cel_value v, const char **why);

extern const struct cel_library kube_quantities, kube_formats, kube_authorizers;

#endif
