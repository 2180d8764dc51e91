/* What controllers read of an object without building its tree: metadata, owners, and the few facts of a pod that
 * everybody asks for. One pass of the scanner, no memory; the slices point into the object's text.
 *
 * Names, uids, label keys and timestamps never hold escapes, so their raw spans are their values. Any thread. */
#ifndef K3X_API_CLIENT_META_H
#define K3X_API_CLIENT_META_H

#include "base/json/json.h"

struct meta {
	struct slice ns, name, uid, resource_version;
	struct slice labels, annotations, owners, finalizers; /* raw spans, SLICE_NULL when absent */
	struct slice creation_timestamp, deletion_timestamp;
	int64_t generation;
};

/* Absent members are SLICE_NULL and 0. */
void meta_read(struct slice object, struct meta *out);

struct owner_ref {
	struct slice api_version, kind, name, uid;
	bool is_controller, blocks_deletion;
};

/* Walks metadata.ownerReferences: *rest starts as meta.owners; false at the end. */
bool owner_ref_next(struct slice *rest, struct owner_ref *out);
/* The reference with controller: true. */
bool owner_ref_controller(struct slice owners, struct owner_ref *out);
/* A reference to `owner` (an object's tree) with controller and blockOwnerDeletion set. */
struct json *owner_ref_new(
        struct arena *a, const char *api_version, const char *kind, struct slice name, struct slice uid);

struct pod_view {
	struct meta meta;
	struct slice node, phase, ip, scheduler;
	bool is_ready;         /* condition Ready is True */
	bool is_scheduled;     /* condition PodScheduled is True */
	int64_t ready_since_s; /* lastTransitionTime of Ready, 0 when absent */
	int64_t restarts;      /* of the container that restarted most */
};

void pod_view_read(struct slice object, struct pod_view *out);
/* Neither Succeeded nor Failed nor being deleted. */
bool pod_view_is_active(const struct pod_view *p);
/* Ready for at least min_ready_s; *wait_s (may be NULL) says how long until it is, 0 when time alone won't do. */
bool pod_view_is_available(const struct pod_view *p, int64_t min_ready_s, int64_t now_s, int64_t *wait_s);

/* "2026-01-02T03:04:05Z" in the arena; now when unix_s is 0. */
const char *kube_time_text(struct arena *a, int64_t unix_s);
/* With microseconds, as leases and events want them. */
const char *kube_time_micro_text(struct arena *a);
/* RFC 3339, fractions ignored: seconds, 0 when it is not one (scalar_time_parse() says why). */
int64_t kube_time_parse(struct slice text);
int64_t kube_time_now_s(void);

/* status.conditions: sets type's status, reason and message in `list`; lastTransitionTime moves only when the status
 * changes. True when anything changed. `time_field` may add "lastUpdateTime" for deployments (NULL: none). */
bool condition_set(struct arena *a, struct json *list, const char *type, const char *status, const char *reason,
        const char *message, const char *time_field);
struct json *condition_find(const struct json *list, const char *type); /* NULL when absent */
bool condition_drop(struct json *list, const char *type);

/* "/api/v1/namespaces/NS/PLURAL/NAME/SUB"; group "" is core; ns, name, sub may be empty. In the arena. */
const char *kube_path(struct arena *a, const char *api_version, const char *plural, struct slice ns, struct slice name,
        const char *sub);

#endif
