/* ETCDSnapshotFile objects: what snapshots there are, for whoever asks the API (`kubectl get etcdsnapshotfiles`).
 *
 * Group, names and columns are k3s's (k3s.cattle.io/v1), so that what reads them there reads them here. */
#ifndef K3X_TOOLS_K3X_SNAPSHOTS_SNAPSHOT_RECORDS_H
#define K3X_TOOLS_K3X_SNAPSHOTS_SNAPSHOT_RECORDS_H

#include "base/rt/loop.h"
#include "tools/snapshots/list.h"

struct api_server;
struct snapshot_records;

/* `loop` is the main thread's. */
struct snapshot_records *snapshot_records_new(struct loop *loop, const char *node_name);
/* What was told before waits for this. The loop's thread. */
void snapshot_records_begin(struct snapshot_records *r, struct api_server *api);
/* Before the API closes: closed(arg) when nothing of it is under way, maybe from inside. The loop's thread. */
void snapshot_records_close(struct snapshot_records *r, void (*closed)(void *arg), void *arg);
/* When nobody tells anything any more, and the loop has ended. NULL is allowed. */
void snapshot_records_free(struct snapshot_records *r);

/* What this server sees now, newest first: objects follow. Takes the list over. knows_s3: the S3 store was asked too;
 * else what is recorded of it stays. Any thread, never waits. */
void snapshot_records_set(struct snapshot_records *r, struct snapshot_list *list, bool knows_s3);

#endif
