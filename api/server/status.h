/* Status objects: how every error of the API looks (metav1.Status). Any thread. */
#ifndef K3X_API_SERVER_STATUS_H
#define K3X_API_SERVER_STATUS_H

#include "api/machinery/rules/validate.h"
#include "api/server/route.h"

/* In the arena. reason and message may be empty. */
struct json *status_new(struct arena *a, int code, const char *reason, const char *message);
struct json *status_from_err(struct arena *a, const struct err *err, const struct route *route);
/* 422 of an object: message, and details with a cause per error. */
struct json *status_invalid(
        struct arena *a, const struct resource *r, struct slice name, const struct field_errors *errors);
/* Success, as deletions of some kinds answer. */
struct json *status_success(struct arena *a, const struct resource *r, struct slice name, struct slice uid);
/* The errors of objects as upstream words them. */
int status_not_found(struct err *err, const struct resource *r, struct slice name);
int status_exists(struct err *err, const struct resource *r, struct slice name);
int status_conflict(struct err *err, const struct resource *r, struct slice name);

#endif
