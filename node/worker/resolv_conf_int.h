/* What a resolv.conf says, for the pods that resolve as the node does. Pure. */
#ifndef K3X_NODE_WORKER_RESOLV_CONF_INT_H
#define K3X_NODE_WORKER_RESOLV_CONF_INT_H

#include "base/mem/arena.h"
#include "base/mem/str.h"

/* The resolver's own limits (resolv.conf(5), glibc 2.26 and later): the rest of a longer file is not used by anybody.
 */
enum { RESOLV_SERVERS_MAX = 3, RESOLV_SEARCHES_MAX = 16, RESOLV_OPTIONS_MAX = 16 };

struct resolv_conf {
	char *servers[RESOLV_SERVERS_MAX], *searches[RESOLV_SEARCHES_MAX], *options[RESOLV_OPTIONS_MAX];
	size_t n_servers, n_searches, n_options;
};

/* Words are parted by blanks and tabs; the last `search` (or `domain`) line counts; words in the arena. */
struct resolv_conf resolv_conf_parse(struct arena *a, struct slice text);

#endif
