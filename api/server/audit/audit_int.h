/* What is known of one call, and how an event is made of it. */
#ifndef K3X_API_SERVER_AUDIT_AUDIT_INT_H
#define K3X_API_SERVER_AUDIT_AUDIT_INT_H

#include "api/server/audit/audit.h"

enum { AUDIT_IPS_MAX = 16 };

struct audit_annotation {
	struct audit_annotation *next; /* in order of keys */
	const char *key;
	struct slice value;
};

struct audit_ref {
	struct slice resource, ns, name, uid, group, version, resource_version, sub;
};

/* In the call's arena, like all it points to. */
struct audit_record {
	struct audit_decision decision;
	struct slice id, uri, verb, user_agent;
	struct user *user, *as; /* references; as NULL: himself */
	struct slice ips[AUDIT_IPS_MAX];
	size_t n_ips;
	bool has_ref;
	struct audit_ref ref;
	int64_t received_ns; /* wall clock */
	int code;            /* 0: nothing was answered yet */
	const struct json *status;
	const char *message; /* of a code without a Status; NULL: none */
	struct slice request_object, response_object;
	struct audit_annotation *annotations;
	bool is_cut;     /* an object was too large to be kept */
	bool is_refused; /* at the door: no more than one event */
	bool is_long, is_started, is_complete;
};

/* Appends one line. bytes_max: an event that is larger loses its objects and is marked. */
void audit_event_write(
        struct strbuf *out, const struct audit_record *r, enum audit_stage stage, int64_t now_ns, size_t bytes_max);
/* The form that --audit-log-format=legacy has. */
void audit_event_write_legacy(struct strbuf *out, const struct audit_record *r, enum audit_stage stage, int64_t now_ns);

#endif
