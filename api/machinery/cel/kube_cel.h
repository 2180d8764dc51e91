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

/* Fields, in the order of their names, and types of objects whose values are views of JSON. */
#define KUBE_CEL_FIELD(text, t) \
	{ \
		{text, sizeof(text) - 1}, {text, sizeof(text) - 1}, t \
	}
#define KUBE_CEL_OBJECT(title, rows) \
	{ \
		.kind = CEL_OBJECT, .name = title, .fields = rows, .field_count = COUNT_OF(rows), \
		.size_max = CEL_SIZE_UNBOUND, .text_bytes_min = 2 \
	}
/* Lists of texts, and such lists by name, as a user's groups and extra are. */
extern const struct cel_type kube_texts_type, kube_text_lists_type;

extern const struct cel_library kube_quantities, kube_formats, kube_authorizers;

#endif
