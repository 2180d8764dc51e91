/* Requests to the API server: a path by format, a copied body, one callback that may be forgotten. Loop's thread. */
#ifndef K3X_NODE_GROUND_API_CALL_H
#define K3X_NODE_GROUND_API_CALL_H

#include "base/err.h"
#include "base/json/json.h"

struct api_call;
struct node;
typedef void api_done_fn(void *arg, int http_status, struct slice body, const struct err *err);

#define API_MERGE_PATCH "application/merge-patch+json"
#define API_STRATEGIC_PATCH "application/strategic-merge-patch+json"

/* content_type NULL: JSON. The body is copied; done may be NULL. err is NULL when the server said 2xx. */
struct api_call *api_send(struct node *n, const char *method, const char *content_type, struct slice body,
        api_done_fn *done, void *arg, const char *path_fmt, ...) __attribute__((format(printf, 7, 8)));
struct api_call *api_send_json(struct node *n, const char *method, const char *content_type, const struct json *body,
        api_done_fn *done, void *arg, const char *path_fmt, ...) __attribute__((format(printf, 7, 8)));
void api_forget(struct api_call *c); /* done is not called */
void api_cancel_all(struct node *n);

#endif
