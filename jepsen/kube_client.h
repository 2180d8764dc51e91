/* A client of one server of Kubernetes' API, for one thread, over HTTPS: calls block that thread, which runs the
 * connection's loop meanwhile. It is to the targets that serve that API what client.h is to those that speak etcd's.
 *
 * It stands on HTTP alone: what is tested is not reached through a client of its own house, which might forgive it. */
#ifndef K3X_JEPSEN_KUBE_CLIENT_H
#define K3X_JEPSEN_KUBE_CLIENT_H

#include "base/json_lib.h"
#include "jepsen/client.h"

struct kube_client;
struct kube_watch;
struct tls_context;

struct kube_answer {
	struct client_answer base; /* outcome and error: for run_complete(); its message is NULL */
	int status;                /* HTTP's; 0: none came */
	bool is_old;               /* the server warned that what was read may be old: nobody promised anything */
	json_t *body;              /* the client's, until its next call; NULL unless it was JSON */
};

/* A reference to the context is taken. Connections are made when they are needed. */
struct kube_client *kube_client_new(struct tls_context *tls, const char *host, int port, unsigned timeout_ms);
void kube_client_free(struct kube_client *c);

/* "GET", "/api/v1/...", and a body (NULL: none), which is left to the caller. Reads that fail are FAIL, never INFO:
 * they have no effect; so are those that the server says may be old. */
struct kube_answer kube_client_call(struct kube_client *c, const char *method, const char *target, const json_t *body);

/* A watch: the client's only one, and no calls while it is open. */
struct kube_watch *kube_watch_open(struct kube_client *c, const char *target);
/* The next event within timeout_ms, {"type":...,"object":...}, for the caller to json_decref(); NULL when none came.
 * *ended says that none will. */
json_t *kube_watch_next(struct kube_watch *w, unsigned timeout_ms, bool *ended);
int kube_watch_status(const struct kube_watch *w); /* HTTP's; 0 until the answer's head came */
const struct err *kube_watch_error(const struct kube_watch *w);
void kube_watch_close(struct kube_watch *w); /* NULL is allowed */

/* What an answer says about the effect of a request that writes: `status` is HTTP's (0: none came), `message` the
 * error's. A conflict and whatever else was refused before anything was tried surely did not happen. */
enum client_outcome kube_outcome_of(int status, const char *message);

/* metadata.resourceVersion, HISTORY_NIL's place taken by -1 when there is none that is a number. */
int64_t kube_revision(const json_t *object);
/* A member of an object's metadata as text; SLICE_NULL when it is not there. */
struct slice kube_meta(const json_t *object, const char *name);

#endif
