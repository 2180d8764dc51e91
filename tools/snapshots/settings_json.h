/* Snapshot settings as JSON: for a server that is asked for a snapshot. Pure, any thread. */
#ifndef K3X_TOOLS_SNAPSHOTS_SETTINGS_JSON_H
#define K3X_TOOLS_SNAPSHOTS_SETTINGS_JSON_H

#include "base/json_lib.h"
#include "tools/snapshots/settings.h"

/* What is set: neither NULL, false nor 0. */
void snapshot_settings_write(const struct snapshot_settings *v, json_t *out);
/* What is not there stays as it is; texts lie in the arena. Unchecked. */
void snapshot_settings_read(struct snapshot_settings *v, const json_t *in, struct arena *a);

#endif
