/* What an operator asks of a server that runs, through the API (api/server/join/operate.c). */
#ifndef K3X_TOOLS_K3X_SERVER_OPERATE_H
#define K3X_TOOLS_K3X_SERVER_OPERATE_H

#include "tools/k3x/server_settings.h"

struct keeper;
struct snapshots;
struct engine;

struct server_operate {
	struct server_settings settings; /* a copy, for an arena is one thread's: emptied after each operation */
	struct keeper *keeper;
	struct snapshots *snapshots;
	struct engine *store;
};

/* A struct join_operator's run, arg a struct server_operate. Blocks; one at a time. */
int server_operate_run(void *arg, struct slice name, struct slice body, struct strbuf *answer, struct err *err);

#endif
