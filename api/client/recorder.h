/* The event recorder: tells users what a component did, as core/v1 Events.
 *
 * The same event about the same object (type, reason, message) is one Event whose count and lastTimestamp grow. When
 * more than ten different messages of one reason come for one object within ten minutes they are combined. One object
 * may have 25 events at once and then one every five minutes. Sending is in the background and bounded: events are
 * dropped rather than delayed without end. All on the client's loop. */
#ifndef K3X_API_CLIENT_RECORDER_H
#define K3X_API_CLIENT_RECORDER_H

#include "api/client/client.h"
#include "api/client/meta.h"

struct recorder;

/* `component` ("replicaset-controller", "kubelet") and `host` (the node it runs on; NULL: it is nobody's in particular)
 * are copied. */
struct recorder *recorder_new(struct client *client, const char *component, const char *host);
void recorder_close(struct recorder *r, void (*closed)(void *arg), void *arg);

/* What the event is about. Only read during the call. */
struct recorder_subject {
	const char *api_version, *kind;
	struct slice ns, name, uid, resource_version; /* ns empty: cluster scope, the event goes to "default" */
	struct slice field_path;                      /* "spec.containers{web}"; empty: the whole object */
};

/* `type` is "Normal" or "Warning". */
__attribute__((format(printf, 5, 6))) void recorder_event(struct recorder *r, const struct recorder_subject *subject,
        const char *type, const char *reason, const char *fmt, ...);

static inline struct recorder_subject recorder_about(const char *api_version, const char *kind, const struct meta *m)
{
	return (struct recorder_subject){.api_version = api_version,
	        .kind = kind,
	        .ns = m->ns,
	        .name = m->name,
	        .uid = m->uid,
	        .resource_version = m->resource_version};
}

#endif
