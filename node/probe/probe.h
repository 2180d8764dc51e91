/* Probes of running containers, and hooks. Loop's thread. */
#ifndef K3X_NODE_PROBE_PROBE_H
#define K3X_NODE_PROBE_PROBE_H

#include "base/err.h"
#include "base/json/json.h"

struct container;
struct pod;

/* Whom probes tell. */
struct probe_callbacks {
	void (*changed)(struct pod *p); /* a container became ready, unready or started */
	/* A liveness or startup probe failed often enough: the container is to end, with this grace. */
	void (*failed)(struct pod *p, struct container *c, int64_t grace_s);
};

/* `callbacks` must outlive the probes. */
void probes_start(struct pod *p, struct container *c, const struct probe_callbacks *callbacks);
void probes_stop(struct container *c); /* fine when there are none */

/* Runs a hook (exec, httpGet, tcpSocket, sleep): done(arg, err) once, never inside. timeout_ms 0: none. */
void hook_run(struct pod *p, struct container *c, const struct json *handler, unsigned timeout_ms,
        void (*done)(void *arg, const struct err *err), void *arg);

#endif
