/* The store that `k3x server` keeps its state in: a raft group, of this server alone unless others join. */
#include "tools/k3x/server_store.h"

#include "base/pki.h"
#include "store/engine/raft_engine.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* 16 hex digits in a file; drawn and kept at the first start. */
static int need_id(const char *path, uint64_t *ret, struct err *err)
{
	char text[24], *bytes;
	size_t len;
	if (access(path, F_OK) == 0) {
		if (pki_file_read(path, &bytes, &len, err) != 0)
			return err->code;
		*ret = strtoull(bytes, NULL, 16);
		free(bytes);
		return *ret ? 0 : err_set(err, ERR_CORRUPT, "%s does not hold an id of 16 hex digits", path);
	}
	pki_random(ret, sizeof *ret);
	int n = snprintf(text, sizeof text, "%016" PRIx64 "\n", *ret);
	return pki_file_write(path, (struct slice){text, (size_t)n}, 0600, err);
}

int server_store_open(struct server_settings *s, struct engine **ret, struct err *err)
{
	struct raft_host_server self = {.role = RAFT_HOST_VOTER};
	struct raft_engine_options o = {.data_dir = server_file(s, "server/db"), .bootstrap = &self, .n_bootstrap = 1};
	if (need_id(server_file(s, "server/db/cluster"), &o.cluster_id, err) != 0 ||
	        need_id(server_file(s, "server/db/member"), &o.id, err) != 0)
		return err->code;
	self.id = o.id;
	self.address = o.address = arena_printf(&s->arena, "https://%s:2380", s->node_ip);
	return raft_engine_open(&o, ret, err);
}
