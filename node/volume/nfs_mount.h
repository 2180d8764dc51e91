/* nfs volumes are mounted and unmounted by the system's programs, which run beside us: a server that does not answer
 * holds neither the loop, nor a thread of the pool, nor other pods, nor the end of the node. Loop's thread. */
#ifndef K3X_NODE_VOLUME_NFS_MOUNT_H
#define K3X_NODE_VOLUME_NFS_MOUNT_H

#include "base/err.h"
#include "node/volume/nfs.h"

struct nfs_jobs;
struct node;

/* What runs for a node. No program gets longer than `limit_ms_max`; 0: each has a limit of its own. */
struct nfs_jobs *nfs_jobs_new(struct node *n, unsigned limit_ms_max);
/* What runs is left to itself, and told as ERR_CANCELED; a mount that comes to be is found by the next process. */
void nfs_jobs_close(struct nfs_jobs *j);
void nfs_jobs_free(struct nfs_jobs *j); /* when the node's parts have closed; NULL is fine */

/* Makes the folder and mounts, unless it is mounted already. done() on the loop, never inside, once; an error is in
 * upstream's words. Source and path live until then. */
void nfs_mount(struct nfs_jobs *j, const struct nfs_source *s, const char *path,
        void (*done)(void *arg, const struct err *err), void *arg);

/* The mounts below a pod's folder that are under way end soon, with ERR_CANCELED. */
void nfs_give_up(struct nfs_jobs *j, const char *dir);

/* Undoes the nfs mounts below a pod's folder, however its servers are: after that nothing below it waits for one.
 * done() as above; ERR_CANCELED alone. `dir` lives until then. */
void nfs_unmount_below(struct nfs_jobs *j, const char *dir, void (*done)(void *arg, const struct err *err), void *arg);
/* Is there, or may there be, anything to undo? A look at a local folder. */
bool nfs_has_any_below(const char *dir);

/* Does the server of the volume at `path` answer? Asked before anything in it is opened by a thread of ours. done() as
 * above: ERR_TIMEOUT when it does not within some seconds. */
void nfs_ask(struct nfs_jobs *j, const char *path, void (*done)(void *arg, const struct err *err), void *arg);

#endif
