/* Small helpers of the kubelet's handlers. */
#ifndef K3X_NODE_SERVER_ANSWER_INT_H
#define K3X_NODE_SERVER_ANSWER_INT_H

#include "base/wire/http.h"

void kubelet_answer_err(struct http_exchange *x, const struct err *err);
/* The value of a query parameter, SLICE_NULL when absent; in the exchange's arena. */
struct slice kubelet_param(struct http_exchange *x, const char *name);
bool kubelet_flag(struct http_exchange *x, const char *name); /* "1" or "true" */

#endif
