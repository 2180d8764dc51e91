/* What the files of the kubelet share: the node, its pods, what the runtime says about them. Everything belongs to the
 * node's loop but the work handed to its pool. */
#ifndef K3X_NODE_NODE_INT_H
#define K3X_NODE_NODE_INT_H

#include "api/client/informer.h"
#include "base/json/json.h"
#include "base/mem/arena.h"
#include "base/mem/list.h"
#include "base/mem/map.h"
#include "base/rt/pool.h"
#include "node/containerd.h"
#include "node/cri.h"
#include "node/node.h"

struct pod;
struct probes;
struct events;
struct images;
struct node_status;
struct static_pods;
struct kubelet_server;
struct log_rotation;

struct node {
	struct node_options o; /* strings in the arena */
	struct arena arena;
	struct loop *loop;
	struct client *client;
	struct pool *pool;
	struct containerd *containerd;
	struct cri *cri;                 /* NULL until the runtime is up */
	bool runtime_ready;              /* the CRI answers and images are in */
	bool network_ready;              /* a CNI configuration is written */
	const char *pod_cidr;            /* NULL until the control plane gave one */
	const char *pods_dir, *logs_dir; /* DATA/agent/kubelet/pods, DATA/agent/kubelet/logs */
	struct informer *pod_informer, *service_informer;
	struct map pods; /* uid -> struct pod */
	struct list_link api_calls;
	struct events *events;
	struct images *images;
	struct node_status *status;
	struct static_pods *static_pods;
	struct log_rotation *log_rotation;
	struct kubelet_server *server;
	/* the view of the runtime (runtime.c) */
	uint64_t view_generation; /* of the last complete look */
	uint64_t look_generation; /* of the look under way, or the last one */
	bool looking, look_again;
	unsigned follow_ups;  /* looks still to come after an event */
	unsigned inspections; /* status calls of this look still open */
	uv_timer_t look_timer, stream_timer;
	struct cri_call *event_stream;
	bool orphans_removed;
	bool events_work;
	/* closing */
	bool closing;
	unsigned close_waits;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* ---- api.c: requests to the API server ---- */

struct api_call;
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

/* ---- runtime.c: what the runtime says ---- */

struct sandbox {
	struct list_link in_pod;
	char *id;
	char *ip; /* "" until known, and with the host's network */
	unsigned attempt;
	bool is_ready, is_known;
	int64_t created_ns;
	uint64_t seen; /* look generation */
};

enum container_state { CONTAINER_CREATED, CONTAINER_RUNNING, CONTAINER_EXITED, CONTAINER_UNKNOWN };

struct container {
	struct list_link in_pod;
	char *id, *sandbox_id, *name;
	unsigned attempt; /* restart count */
	enum container_state state;
	enum container_state known_state; /* the one the details below belong to */
	bool is_known;
	bool is_stopping; /* we asked for its end */
	bool killed_by_probe, pre_stop_begun;
	bool post_start_done; /* the hook ran, or there is none */
	int64_t created_ns, started_ns, finished_ns;
	int exit_code;
	char *reason, *message, *image_ref, *hash;
	struct probes *probes; /* while it runs */
	uint64_t seen;
};

void runtime_start(struct node *n); /* the CRI is up */
void runtime_stop(struct node *n);
/* Looks at the runtime soon; the generation that then will tell of everything up to now. */
uint64_t runtime_look(struct node *n);
void container_free(struct container *c);
void sandbox_free(struct sandbox *s);

/* ---- node.c ---- */

struct pod *node_pod(struct node *n, struct slice uid);
struct pod *node_pod_named(struct node *n, struct slice ns, struct slice name);
void node_network_ready(struct node *n);         /* the CNI configuration is written: pods may start */
bool node_is_server_known(const struct node *n); /* the pods of the API have been seen once */

/* ---- times ---- */

enum { TIME_TEXT_MAX = 40 };
const char *time_text(int64_t unix_ns, char out[TIME_TEXT_MAX]); /* RFC 3339, whole seconds */
const char *time_text_nano(int64_t unix_ns, char out[TIME_TEXT_MAX]);
const char *time_text_micro(int64_t unix_ns, char out[TIME_TEXT_MAX]); /* MicroTime, six digits */
int64_t time_parse(struct slice text);                                 /* Unix nanoseconds, 0 when it is none */
int64_t time_now_ns(void);

#endif
