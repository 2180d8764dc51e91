/* Snapshots that a server takes of its own store: at the times of a cron expression, and when somebody asks. */
#ifndef K3X_TOOLS_K3X_SNAPSHOTS_SERVER_SNAPSHOTS_H
#define K3X_TOOLS_K3X_SNAPSHOTS_SERVER_SNAPSHOTS_H

#include "tools/k3x/server_settings.h"

struct engine;
struct snapshot_list;
struct snapshots;

struct snapshots_options {
	const struct server_settings *settings; /* with its snapshot settings checked; stays as long */
	struct engine *store;
	/* What people should know. On the thread that takes it. */
	void (*tell)(void *arg, const char *type, const char *reason, const char *message);
	/* Those there are, newest first, looked at from time to time and after each change; takes the list over.
	 * knows_s3: the S3 store's are among them. On the snapshots' thread. */
	void (*looked)(void *arg, struct snapshot_list *list, bool knows_s3);
	void *arg;
};

/* Starts the thread that waits for the next time, and looks what there is. */
struct snapshots *snapshots_start(const struct snapshots_options *o);
/* Gives up what is under way, and ends. NULL is allowed. */
void snapshots_stop(struct snapshots *s);
/* The first half of that: transfers end soon, and no snapshot begins any more. Any thread, never waits. */
void snapshots_cancel(struct snapshots *s);

/* Somebody made or removed one: what there is is looked at. Any thread, never waits. */
void snapshots_changed(struct snapshots *s);

struct snapshot_made {
	const char *name, *path; /* in the arena */
	int64_t size, created_s, revision;
	bool is_in_s3;
	struct err s3_err; /* the file is there, but could not be put into the store */
};

/* Takes one as these settings say (checked; dir NULL: the server's), one at a time: the others wait. prune: what is
 * older than their retention goes. Blocks; any thread. Nothing is left of one that failed. */
int snapshots_take(struct snapshots *s, const struct snapshot_settings *how, bool prune, struct arena *a,
        struct snapshot_made *ret, struct err *err);

/* Where a server's snapshots are; in the arena. */
const char *snapshots_folder(struct arena *a, const char *data_dir, const struct snapshot_settings *v);

#endif
