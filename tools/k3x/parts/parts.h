/* The parts of a server above its API: controllers, scheduler, node, service proxy, each with a loop and thread of its
 * own; and all that an agent is: its way to the servers, node, service proxy.
 *
 * A part is a row in parts.c. Rows are started in order once the API answers, and stopped in reverse before it closes.
 * A part knows the rest of the house only through the client it makes (part_client.h).
 *
 * A part that is led runs on one server of the cluster, the one that leads the store: it is started when this server
 * gains the leadership and stopped when it loses it. Between two servers that is not exact, for one hears of it later
 * than the other; what keeps them apart is that such a part writes by api_server_led_client() alone: what an old leader
 * still has under way is refused by the store. */
#ifndef K3X_TOOLS_K3X_PARTS_PARTS_H
#define K3X_TOOLS_K3X_PARTS_PARTS_H

#include "api/server/server.h"
#include "tools/k3x/server_settings.h"

struct agent_access;
struct policy_metrics;

enum { PART_CLOSE_S_MAX = 20 };

struct part_env {
	struct server_settings *settings; /* read only from here on */
	struct api_server *api;           /* of a server; NULL: an agent */
	const struct agent_access *agent; /* of an agent; NULL: a server */
	struct policy_metrics *policies;  /* set by parts_start(): what one part counts, and another shows */
	struct loop *loop;                /* the part's own */
	uint64_t led_term;                /* of a led part: for api_server_led_client() */
};

struct part {
	bool is_led;
	const char *name; /* also the thread's name: at most 15 bytes */
	bool (*wanted)(const struct server_settings *s);
	/* On the part's loop. Returns the part's state, or NULL with err set: the server then stops. */
	void *(*start)(const struct part_env *env, struct err *err);
	/* On the part's loop; closed(arg) when nothing of it is left there, its clients included. */
	void (*close)(void *state, void (*closed)(void *arg), void *arg);
};

struct engine;

/* Starts all wanted parts, those that are led when it is time; `loop` is the main thread's. The env is copied, its loop
 * and term are each part's own. store: NULL on an agent, where nothing is led. Main thread, which waits for each.
 * failed(arg), at most once: one that is led can't be stopped in time, so the process should end. */
int parts_start(struct loop *loop, const struct part_env *env, struct engine *store, void (*failed)(void *arg),
        void *arg, struct err *err);

/* Those that are led begin anew, if they run here: what they read at their start has changed. Main thread. */
void parts_restart_led(void);

/* Stops them and joins their threads. False: a part has not closed within PART_CLOSE_S_MAX; it is named in the log, and
 * the process should end. Main thread. */
bool parts_stop(void);

/* Rows. */
extern const struct part part_uplink;
extern const struct part part_controllers;
extern const struct part part_node;
extern const struct part part_fabric;
extern const struct part part_proxy;
extern const struct part part_policy;

#endif
