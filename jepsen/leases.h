/* Requests about leases, recorded: what the workloads lease and lock share. */
#ifndef K3X_JEPSEN_LEASES_H
#define K3X_JEPSEN_LEASES_H

#include "jepsen/workload.h"

/* The settings that checkers of leases want. */
void leases_describe(struct run *r);
/* The lease's id, 0 when none was granted. */
int64_t leases_grant(struct worker *w, int64_t ttl_s);
/* False when the lease is gone, or may be. */
bool leases_keep_alive(struct worker *w, int64_t lease);
void leases_revoke(struct worker *w, int64_t lease);

#endif
