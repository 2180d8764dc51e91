/* The deploy controller's two halves: deploy.c follows the folder, deploy_apply.c brings about what one file says. */
#ifndef K3X_API_CONTROLLERS_DEPLOY_INT_H
#define K3X_API_CONTROLLERS_DEPLOY_INT_H

#include "api/controllers/controllers_int.h"
#include "base/rt/pool.h"

#define ADDON_VERSION "k3s.cattle.io/v1"
#define ADDON_NAMESPACE "kube-system"

struct deploy {
	struct controllers *c;
	const char *folder;
	struct pool *pool; /* reads files; one thread */
	struct work_queue *scans, *files, *removals;
	struct recorder *recorder;
	struct map known;         /* by path */
	struct list_link watches; /* of folders */
	unsigned epoch;           /* of the last scan */
	bool is_defined, has_told_cut;
};

/* A file that is there. */
struct known_file {
	struct slice path;
	uint64_t stamp;
	struct slice shadowed_by; /* malloc'ed; empty: none */
	unsigned epoch;           /* of the scan that saw it last */
	bool was_applied;         /* by this process: from then on its checksum decides */
	unsigned waits;           /* for kinds that are not served yet */
	uint64_t told;            /* hash of what was said last about it; 0: nothing */
};

/* Of queue `files`: a key is a path. */
void deploy_apply_run(struct work *w);
/* Of queue `removals`: a key is the name of an Addon that is to go, with all that it applied. */
void deploy_remove_run(struct work *w);

/* Defines the kind Addon, in the background: then or when it is so already true is returned, else the work comes again
 * soon. */
bool deploy_is_defined(struct deploy *d, struct work *w);

#endif
