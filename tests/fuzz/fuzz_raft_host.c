/* Any bytes as messages of a peer to a server that runs: each has its length (2 bytes) before it. Whatever gets into
 * the log is committed and unpacked, for the peer may lead. The server begins anew now and then. */
#include "raft/host/host_int.h"

#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SELF = 1, PEER = 2, INPUTS_PER_LIFE = 200 };

static struct raft_host *host;
static struct disk *disk;
static struct raft_job *job;
static char folder[64];
static uint64_t now_ms, applied, seed = 88172645463325252u;
static unsigned inputs;

static uint64_t env_now(struct raft_env *e)
{
	return now_ms;
}

static uint64_t env_random(struct raft_env *e)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	return seed ^= seed << 17;
}

static void env_send(struct raft_env *e, uint64_t to, const char *address, const void *frame, size_t len)
{
}

static void env_submit(struct raft_env *e, struct raft_job *j)
{
	job = j;
}

static void env_quiesce(struct raft_env *e)
{
	job = NULL;
}

static void env_fatal(struct raft_env *e, const struct err *why)
{
	fprintf(stderr, "fatal: %s\n", why->msg);
	abort();
}

static void run_jobs(void)
{
	while (job) {
		struct raft_job *j = TAKE(job);
		j->work(j);
		j->done(j);
	}
}

static void machine_apply(struct raft_machine *m, uint64_t index, uint64_t term, const struct slice *commands, size_t n)
{
	volatile char sum = 0;
	CHECK(index > applied || n == 0);
	applied = index > applied ? index : applied;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < commands[i].len; k++)
			sum ^= commands[i].ptr[k];
}

static void machine_snapshot(struct raft_machine *m, uint64_t index, struct strbuf *descriptor)
{
	strbuf_add(descriptor, &index, sizeof index);
}

static void machine_restore(struct raft_machine *m, struct slice descriptor)
{
	CHECK(descriptor.len == sizeof(uint64_t));
}

static int machine_install(struct raft_machine *m, struct slice descriptor, struct err *err)
{
	memcpy(&applied, descriptor.ptr, sizeof applied);
	return 0;
}

static bool machine_is_descriptor(struct raft_machine *m, struct slice descriptor)
{
	return descriptor.len == sizeof(uint64_t);
}

static uint64_t machine_index(struct raft_machine *m)
{
	return applied;
}

static void machine_role(struct raft_machine *m, bool is_leader, uint64_t term, uint64_t leader)
{
}

static void begin(void)
{
	static const struct raft_env_vtable env_vtable = {
	        env_now, env_random, env_send, env_submit, env_quiesce, env_fatal};
	static const struct raft_machine_vtable machine_vtable = {.apply = machine_apply,
	        .snapshot = machine_snapshot,
	        .restore = machine_restore,
	        .install = machine_install,
	        .is_descriptor = machine_is_descriptor,
	        .applied_index = machine_index,
	        .durable_index = machine_index,
	        .role_changed = machine_role};
	static struct raft_env env = {.v = &env_vtable};
	static struct raft_machine machine = {.v = &machine_vtable};
	static const struct raft_host_server servers[] = {
	        {SELF, "one", RAFT_HOST_VOTER}, {PEER, "two", RAFT_HOST_VOTER}};
	struct err err = ERR_INIT;
	snprintf(folder, sizeof folder, "/tmp/k3x-fuzz-XXXXXX");
	CHECK(mkdtemp(folder) && disk_posix_new(folder, &disk, &err) == 0);
	now_ms = 100000;
	applied = 0;
	struct raft_host_config c = {.env = &env,
	        .disk = disk,
	        .machine = &machine,
	        .id = SELF,
	        .address = "one",
	        .election_ms = 1000,
	        .heartbeat_ms = 100,
	        .install_ms = 1000,
	        .snapshot_entries = 50,
	        .snapshot_trailing = 10,
	        .segment_bytes = 64 * 1024};
	CHECK(raft_host_open(&c, &host, &err) == 0 && raft_host_bootstrap(host, servers, 2, &err) == 0);
	CHECK(raft_host_start(host, &err) == 0);
	run_jobs();
}

static void end(void)
{
	char command[128];
	raft_host_close(host);
	disk->v->free(disk);
	host = NULL;
	snprintf(command, sizeof command, "rm -rf %s", folder);
	CHECK(system(command) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err;
	if (!host)
		begin();
	while (size >= 2) {
		size_t len = data[0] | (size_t)data[1] << 8;
		len = len < size - 2 ? len : size - 2;
		err = ERR_INIT;
		raft_host_receive(host, PEER, (struct slice){(const char *)data + 2, len}, &err);
		run_jobs();
		data += 2 + len;
		size -= 2 + len;
	}
	now_ms += RAFT_TICK_MS;
	raft_host_tick(host);
	run_jobs();
	if (++inputs % INPUTS_PER_LIFE == 0)
		end();
	return 0;
}
