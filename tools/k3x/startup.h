/* What a server and an agent do to their process before they begin. */
#ifndef K3X_TOOLS_K3X_STARTUP_H
#define K3X_TOOLS_K3X_STARTUP_H

#include "tools/k3x/server_settings.h"

/* Level and file of the log. */
int startup_open_log(struct server_settings *s, struct err *err);
/* What registries.yaml says, for containerd. The data folder is there. */
int startup_write_registries(struct server_settings *s, struct err *err);
/* When memory is short, pods are killed first. */
void startup_go_last_when_memory_is_short(void);

#endif
