/* Plugins that register by a socket in a folder (pluginregistration.v1), as upstream's plugin manager has them. Loop's
 * thread. */
#ifndef K3X_NODE_CSI_PLUGIN_WATCH_INT_H
#define K3X_NODE_CSI_PLUGIN_WATCH_INT_H

#include "base/err.h"
#include "base/rt/loop.h"

struct plugin_watch;
struct watched_plugin;

struct plugin_info {
	const char *type, *name, *endpoint; /* "CSIPlugin"; the endpoint is a socket's path */
	const char *const *versions;
	size_t versions_count;
};

/* Who takes plugins of one type. */
struct plugin_handler {
	const char *type;
	/* Takes it in, or refuses it: plugin_watch_answer() once, now or later. *info lives until then. */
	void (*register_plugin)(void *arg, struct watched_plugin *p, const struct plugin_info *info);
	/* Its socket is gone, also before it was answered: then nothing is to be answered any more. */
	void (*plugin_gone)(void *arg, struct watched_plugin *p, const char *name);
	void *arg;
};

/* Makes the folder and watches it. The handler is copied. */
int plugin_watch_new(struct loop *loop, const char *dir, const struct plugin_handler *handler,
        struct plugin_watch **ret, struct err *err);
/* No handler is called any more. closed(arg) on the loop. */
void plugin_watch_close(struct plugin_watch *w, void (*closed)(void *arg), void *arg);
/* err NULL: it is registered. Else it is told why, and asked again later. */
void plugin_watch_answer(struct watched_plugin *p, const struct err *err);

#endif
