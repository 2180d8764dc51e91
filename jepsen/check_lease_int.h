/* What is known of each lease, for the checkers of leases and of the locks that they hold. Times are the clients'. */
#ifndef K3X_JEPSEN_CHECK_LEASE_INT_H
#define K3X_JEPSEN_CHECK_LEASE_INT_H

#include "jepsen/check_int.h"

struct lease {
	int64_t id;
	int64_t ttl_ns;      /* the longest granted */
	int64_t granted_ns;  /* when the grant was asked for */
	int64_t promised_ns; /* it lives at least so long unless revoked: last acknowledged extension, from its
	                        invocation */
	int64_t extended_ns; /* when the last acknowledged extension was answered */
	int64_t revoke_ns;   /* when the first revoke was asked for that may have happened; INT64_MAX: none */
	int64_t revoked_ns;  /* when the first revoke was acknowledged; INT64_MAX: none */
	const struct history_op *grant, *last_extension, *revoke;
	bool has_unknown; /* an extension of unknown outcome: nobody knows how long it lives at most */
};

struct leases {
	struct lease *list; /* by id */
	size_t count;
};

void leases_collect(struct check_context *c, struct arena *a, struct leases *ret);
struct lease *leases_find(const struct leases *s, int64_t id); /* NULL when unknown */

/* The moment from which a lease must be gone, INT64_MAX when nothing is sure: its last extension, or the end of the
 * last fault before `now_ns`, then its time to live and the bound of the setting. */
int64_t lease_deadline(struct check_context *c, const struct lease *l, int64_t now_ns);

int64_t lease_skew_ns(const struct check_context *c);

#endif
