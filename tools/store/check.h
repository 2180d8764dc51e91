/* What is in a data directory beside the state: whose it is, and its raft log. */
#ifndef K3X_TOOLS_STORE_CHECK_H
#define K3X_TOOLS_STORE_CHECK_H

#include "raft/raft_node.h"
#include "tools/store/offline.h"

struct store_directory {
	const char *path;
	uint64_t cluster_id, member_id; /* 0: not known */
	bool has_log;
	struct raft_host_checked raft;
	const char **damages, **remarks;
	size_t n_damages, n_remarks;
};

/* Reads identity and checks the raft log; nothing is written. What is damaged is no error but in the lists. Strings in
 * the arena. */
int store_directory_look(const char *path, struct arena *a, struct store_directory *ret, struct err *err);

/* Makes the member of a stopped server the only voter of its log, unless it is, or has none yet (recover.c). peer_url:
 * where others reach it from now on; NULL: where they did. Prints what it does. */
int store_recover_alone(const char *data_dir, const char *peer_url, struct arena *a, struct err *err);

#endif
