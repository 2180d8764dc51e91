/* The life of an add-on's program: flags are read, the cluster is found, a loop runs until the program is told to end
 * and has done so.
 *
 * A program embeds `struct addon` and says by its row of functions how it starts and stops:
 *
 *     struct program { struct addon base; struct thing *thing; };
 *     int thing_main(int argc, char **argv) { ...; return addon_main(&p->base, &ops, &flags, argc, argv); }
 *
 * SIGTERM and SIGINT stop it, a second one ends the process at once. All on the calling thread, which owns the loop. */
#ifndef K3X_TOOLS_ADDONS_ADDON_H
#define K3X_TOOLS_ADDONS_ADDON_H

#include "base/flags.h"
#include "base/rt/signals.h"
#include "tools/addons/in_cluster.h"

struct addon;

struct addon_ops {
	const char *name; /* at most 15 bytes: of the loop, and of who speaks in the log */
	bool needs_cluster;
	/* addon->client is there, but where the cluster is neither found nor needed. */
	int (*start)(struct addon *addon, struct err *err);
	/* Once; what was started ends in its own time, then comes addon_stopped(). */
	void (*stop)(struct addon *addon);
	void (*reload)(struct addon *addon); /* on SIGUSR1 and SIGHUP; NULL: these end the process */
};

struct addon {
	const char *kubeconfig, *log_level; /* ADDON_FLAGS */
	struct arena arena;
	struct loop loop;
	struct in_cluster cluster;
	struct client *client; /* NULL: no cluster */
	/* ---- addon.c's own ---- */
	const struct addon_ops *ops;
	struct signals signals;
	bool is_stopping;
	int exit_code;
};

/* The rows of the flags that all of them have. */
#define ADDON_FLAGS(addon) \
	{"kubeconfig", 0, FLAG_STRING, &(addon)->kubeconfig, NULL, \
	        "whom to ask about the cluster, and as whom (in a pod: its service account)", NULL}, \
	{ \
		"log-level", 0, FLAG_STRING, &(addon)->log_level, NULL, "debug, info (the default), warn or error", \
		        NULL \
	}

/* The whole life. `addon` is all zero but for what the program set in its own part. Returns the exit code; errors of
 * the start are told on stderr. */
int addon_main(struct addon *addon, const struct addon_ops *ops, struct flags *flags, int argc, char **argv);

/* Stops as a signal does. With a failure, exit_code is 1; one that is stopping already takes its time. */
void addon_fail(void *addon);

/* For ops->stop, as a `closed` callback: all that start() made is closed. The client is closed after it. */
void addon_stopped(void *addon);

#endif
