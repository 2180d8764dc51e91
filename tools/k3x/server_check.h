/* Are the values of all flags such that the server, or the agent, can do what they say? */
#ifndef K3X_TOOLS_K3X_SERVER_CHECK_H
#define K3X_TOOLS_K3X_SERVER_CHECK_H

#include "tools/k3x/server_settings.h"

/* Settings are complete. Fills in what follows from others (the ends of the port range). ERR_INVAL names the flag, its
 * value, and what it must be like. */
int server_check(struct server_settings *s, struct err *err);

/* The same of an agent's. */
int agent_check(struct server_settings *s, struct err *err);

#endif
