/* What a server and an agent do to their process before they begin. */
#ifndef K3X_TOOLS_K3X_STARTUP_H
#define K3X_TOOLS_K3X_STARTUP_H

#include "tools/k3x/server_settings.h"

/* Level and file of the log. */
int startup_open_log(struct server_settings *s, struct err *err);
/* What registries.yaml says, for containerd. The data folder is there. */
int startup_write_registries(struct server_settings *s, struct err *err);
/* Says in the data folder, which is there, whose it is: k3x.pid, which is open for as long as this process lives, and
 * by that `k3x killall` knows it. Of two that use one folder it is the first. */
void startup_note_process(struct server_settings *s);
/* When memory is short, pods are killed first. */
void startup_go_last_when_memory_is_short(void);

#endif
