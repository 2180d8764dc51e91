/* See leases.h. */
#include "jepsen/leases.h"

#include <stdio.h>

enum { ANSWER_MS_MAX = 2000, SKEW_MS = 200, SKEW_MS_CLOCKS = 4000 };

/* A drifting clock ends leases early by its share of their time: that is no fault of the server. */
void leases_describe(struct run *r)
{
	bool has_clock_faults = r->cluster.target->takes_shim && (strcmp(r->options->nemesis, "mixed") == 0 ||
	                                                                 strstr(r->options->nemesis, "clock-drift"));
	char text[32];
	snprintf(text, sizeof text, "%d", has_clock_faults ? SKEW_MS_CLOCKS : SKEW_MS);
	history_set(&r->history, "skew_ms", text);
}

int64_t leases_grant(struct worker *w, int64_t ttl_s)
{
	struct history_record r = HISTORY_RECORD_INIT;
	Etcdpb__LeaseGrantRequest q = ETCDPB__LEASE_GRANT_REQUEST__INIT;
	r.f = HISTORY_GRANT;
	r.ttl_ms = ttl_s * 1000;
	q.ttl = ttl_s;
	run_invoke(w, &r);
	struct client_answer a =
	        client_call(w->client, "Lease/LeaseGrant", &q.base, &etcdpb__lease_grant_response__descriptor);
	const Etcdpb__LeaseGrantResponse *got = a.message;
	int64_t id = got ? got->id : 0;
	if (got) {
		r.lease = got->id;
		r.ttl_ms = got->ttl * 1000;
	}
	run_complete(w, &r, &a);
	return id;
}

bool leases_keep_alive(struct worker *w, int64_t lease)
{
	struct history_record r = HISTORY_RECORD_INIT;
	Etcdpb__LeaseKeepAliveRequest q = ETCDPB__LEASE_KEEP_ALIVE_REQUEST__INIT;
	struct client_answer a = {.outcome = CLIENT_INFO};
	bool ended;
	r.f = HISTORY_KEEPALIVE;
	r.lease = q.id = lease;
	run_invoke(w, &r);
	struct client_stream *s = client_stream_open(w->client, "Lease/LeaseKeepAlive", &q.base);
	const Etcdpb__LeaseKeepAliveResponse *got =
	        client_stream_next(s, &etcdpb__lease_keep_alive_response__descriptor, ANSWER_MS_MAX, &w->arena, &ended);
	if (got) {
		a.outcome = CLIENT_OK;
		r.ttl_ms = got->ttl * 1000;
	} else {
		err_set(&a.err, ERR_TIMEOUT, "%s", ended ? client_stream_error(s)->msg : "no answer");
	}
	client_stream_close(s);
	run_complete(w, &r, &a);
	return got && got->ttl > 0;
}

void leases_revoke(struct worker *w, int64_t lease)
{
	struct history_record r = HISTORY_RECORD_INIT;
	Etcdpb__LeaseRevokeRequest q = ETCDPB__LEASE_REVOKE_REQUEST__INIT;
	r.f = HISTORY_REVOKE;
	r.lease = q.id = lease;
	run_invoke(w, &r);
	struct client_answer a =
	        client_call(w->client, "Lease/LeaseRevoke", &q.base, &etcdpb__header_response__descriptor);
	run_complete(w, &r, &a);
}
