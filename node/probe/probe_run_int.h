/* One run of a probe or a hook: exec (the runtime's ExecSync), httpGet, tcpSocket, grpc (health checking protocol,
 * grpc.health.v1), sleep. Loop's thread. */
#ifndef K3X_NODE_PROBE_PROBE_RUN_INT_H
#define K3X_NODE_PROBE_PROBE_RUN_INT_H

#include "base/err.h"
#include "base/json/json.h"

struct pod;
struct run;

struct run_target {
	const char *container, *container_id; /* copied */
};

/* done(arg, err) once, never inside: when it succeeded, failed, or timed out. timeout_ms 0: none. */
struct run *run_start(struct pod *p, const struct run_target *t, const struct json *handler, unsigned timeout_ms,
        bool is_hook, void (*done)(void *arg, const struct err *err), void *arg);
/* Before done(): it is not called. */
void run_abandon(struct run *r);

#endif
