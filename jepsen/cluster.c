/* See cluster.h. */
#include "jepsen/cluster.h"

#include "base/check.h"
#include "base/log.h"
#include "base/wire/grpc.h"
#include "jepsen/client.h"
#include "jepsen/command.h"
#include "jepsen/shim_control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { ADMIN_TIMEOUT_MS = 1000, POLL_MS = 100 };

#define DISK_BYTES (INT64_C(768) * 1024 * 1024)

extern char **environ;

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

/* Between two looks at a condition. */
static void pause_between_polls(void)
{
	struct timespec t = {.tv_nsec = POLL_MS * 1000000L};
	nanosleep(&t, NULL);
}

static int open_node(struct cluster *c, unsigned i, struct err *err)
{
	struct node *n = &c->nodes[i];
	n->index = i;
	n->net = &c->net.nodes[i];
	n->is_member = true;
	snprintf(n->name, sizeof n->name, "n%u", i + 1);
	if (disk_open(&n->disk, c->scratch, n->name, DISK_BYTES, err) != 0)
		return err->code;
	snprintf(n->data_dir, sizeof n->data_dir, "%.200s/n%u/data", c->scratch, i + 1);
	snprintf(n->log_path, sizeof n->log_path, "%.200s/n%u.log", c->run_dir, i + 1);
	if (mkdir(n->data_dir, 0700) != 0)
		return err_errno(err, errno, "make folder %s", n->data_dir);
	if (c->target->takes_shim) {
		snprintf(n->shim_dir, sizeof n->shim_dir, "%.200s/n%u.shim", c->scratch, i + 1);
		if (shim_control_make(n->shim_dir, n->data_dir, err) != 0)
			return err->code;
	}
	c->admin[i] = client_new(n->net->address, CLUSTER_CLIENT_PORT, ADMIN_TIMEOUT_MS);
	return 0;
}

int cluster_open(struct cluster *c, const struct jepsen_options *o, const char *run_dir, struct err *err)
{
	*c = (struct cluster){.target = target_find(o->target),
	        .options = o,
	        .binary = o->binary,
	        .run_dir = run_dir,
	        .count = (unsigned)o->nodes};
	snprintf(c->scratch, sizeof c->scratch, "%.200s/jepsen-XXXXXX", o->scratch);
	if (!mkdtemp(c->scratch))
		return err_errno(err, errno, "make %s", c->scratch);
	const struct datastore_kind *kind = o->datastore ? datastore_find(o->datastore) : NULL;
	if (net_open(&c->net, c->count + (kind != NULL), err) != 0)
		return err_wrap(err, "network");
	if (kind && datastore_open(&c->datastore, kind, &c->net.nodes[c->count], c->scratch, run_dir, err) != 0)
		return err->code;
	for (unsigned i = 0; i < c->count; i++)
		if (open_node(c, i, err) != 0)
			return err->code;
	if (c->target->boot)
		return c->target->boot(c, err);
	for (unsigned i = 0; i < c->count; i++)
		if (cluster_start_node(c, &c->nodes[i], err) != 0)
			return err->code;
	return 0;
}

static void keep_disks(struct cluster *c)
{
	struct err err = ERR_INIT;
	for (unsigned i = 0; i < c->count; i++)
		if (command_line(NAMESPACE_OURS, &err, "cp -r --sparse=always %s %s/%s.data", c->nodes[i].data_dir,
		            c->run_dir, c->nodes[i].name) != 0)
			log_warn("jepsen", "data folder not kept", "node=%s error=\"%s\"", c->nodes[i].name, err.msg);
}

void cluster_close(struct cluster *c)
{
	struct err err = ERR_INIT;
	for (unsigned i = 0; i < c->count; i++) {
		client_free(c->admin[i]);
		node_kill(&c->nodes[i]);
	}
	datastore_close(&c->datastore);
	if (c->target->release)
		c->target->release(c);
	if (c->options->keep_disks)
		keep_disks(c);
	for (unsigned i = 0; i < c->count; i++)
		disk_close(&c->nodes[i].disk);
	net_close(&c->net);
	command_line(NAMESPACE_OURS, &err, "rm -rf %s", c->scratch);
}

/* Our environment, and what the shim and broken builds want to be told. */
static const char *const *environment(struct cluster *c, struct node *n, struct arena *a)
{
	size_t count = 0, k = 0;
	while (environ[count])
		count++;
	const char **env = ARENA_ARRAY(a, const char *, count + 8);
	for (; k < count; k++)
		env[k] = environ[k];
	if (c->options->break_name)
		env[k++] = arena_printf(a, "K3X_BREAK=%s", c->options->break_name);
	if (n->shim_dir[0]) {
		env[k++] = arena_printf(a, "LD_PRELOAD=%s", c->options->shim);
		env[k++] = arena_printf(a, "JEPSEN_SHIM=%s", n->shim_dir);
		env[k++] = arena_printf(a, "JEPSEN_SHIM_DATA=%s", n->data_dir);
	}
	return env;
}

int cluster_start_node(struct cluster *c, struct node *n, struct err *err)
{
	struct arena a = ARENA_INIT;
	int rc = node_start(n, c->target->argv(c, n, &a), environment(c, n, &a), err);
	arena_release(&a);
	return rc;
}

static bool serves(struct cluster *c, unsigned i, struct err *err)
{
	Etcdpb__RangeRequest r = ETCDPB__RANGE_REQUEST__INIT;
	r.key = client_bytes("jepsen");
	r.count_only = true;
	if (c->target->serves)
		return c->target->serves(c, i, err);
	struct client_answer got = client_call(c->admin[i], "KV/Range", &r.base, &etcdpb__range_response__descriptor);
	if (got.outcome == CLIENT_OK)
		return true;
	err_set(err, ERR_TIMEOUT, "%s does not serve: %.300s", c->nodes[i].name, got.err.msg);
	return false;
}

static const Etcdpb__StatusResponse *status_of(struct cluster *c, unsigned i)
{
	Etcdpb__AlarmRequest nothing = ETCDPB__ALARM_REQUEST__INIT; /* no fields set: StatusRequest has none */
	if (c->nodes[i].state != NODE_UP || !c->nodes[i].is_member)
		return NULL;
	return client_call(c->admin[i], "Maintenance/Status", &nothing.base, &etcdpb__status_response__descriptor)
	        .message;
}

bool cluster_votes(struct cluster *c, unsigned i)
{
	const Etcdpb__StatusResponse *s = status_of(c, i);
	return s && s->leader && !s->islearner && !c->nodes[i].is_leaving;
}

int cluster_leader(struct cluster *c)
{
	if (c->target->leader)
		return c->target->leader(c);
	for (unsigned i = 0; i < c->count; i++) {
		const Etcdpb__StatusResponse *s = status_of(c, i);
		if (s && s->header && s->leader == s->header->member_id)
			return (int)i;
	}
	return -1;
}

void *cluster_ask(struct cluster *c, const char *method, const ProtobufCMessage *request,
        const ProtobufCMessageDescriptor *answer, struct err *err)
{
	err_set(err, ERR_UNAVAILABLE, "no server is up");
	for (unsigned i = 0; i < c->count; i++) {
		if (c->nodes[i].state != NODE_UP || !c->nodes[i].is_member)
			continue;
		struct client_answer got = client_call(c->admin[i], method, request, answer);
		if (got.message)
			return got.message;
		*err = got.err;
	}
	return NULL;
}

static int find_member(struct cluster *c, const struct node *n, uint64_t *ret, struct err *err)
{
	Etcdpb__MemberListRequest r = ETCDPB__MEMBER_LIST_REQUEST__INIT;
	r.linearizable = true;
	char part[32];
	snprintf(part, sizeof part, "//%s:", n->net->address);
	const Etcdpb__MemberListResponse *list =
	        cluster_ask(c, "Cluster/MemberList", &r.base, &etcdpb__member_list_response__descriptor, err);
	if (!list)
		return err_wrap(err, "list members");
	for (size_t i = 0; i < list->n_members; i++)
		for (size_t j = 0; j < list->members[i]->n_peerurls; j++)
			if (strstr(list->members[i]->peerurls[j], part)) {
				*ret = list->members[i]->id;
				return 0;
			}
	return err_set(err, ERR_NOT_FOUND, "%s is no member", n->name);
}

/* No member has this id: a server that knows the method says so. */
void cluster_probe(struct cluster *c)
{
	if (c->target->serves_kube)
		return; /* nobody there to ask: its members join and leave by themselves */
	Etcdpb__MemberRequest r = ETCDPB__MEMBER_REQUEST__INIT;
	r.id = 1;
	struct client_answer got =
	        client_call(c->admin[0], "Cluster/MemberRemove", &r.base, &etcdpb__member_list_response__descriptor);
	c->can_change_members = c->count > 1 && got.status != GRPC_UNIMPLEMENTED;
	if (c->count > 1 && !c->can_change_members)
		log_warn("jepsen", "members cannot be changed", "answer=\"%s\"", got.err.msg);
}

static int wipe(struct node *n, struct err *err)
{
	n->is_damaged = false;
	if (command_line(NAMESPACE_OURS, err, "rm -rf %s", n->data_dir) != 0)
		return err->code;
	if (mkdir(n->data_dir, 0700) != 0)
		return err_errno(err, errno, "make folder %s", n->data_dir);
	return n->shim_dir[0] ? shim_control_forget(n->shim_dir, err) : 0;
}

/* An unknown outcome is asked again: a member that is gone or there already is what was wanted. */
int cluster_remove_node(struct cluster *c, struct node *n, struct err *err)
{
	Etcdpb__MemberRequest r = ETCDPB__MEMBER_REQUEST__INIT;
	struct err ignored = ERR_INIT;
	if (find_member(c, n, &r.id, err) != 0 && err->code != ERR_NOT_FOUND)
		return err->code;
	n->is_leaving = true;
	if (r.id && !cluster_ask(c, "Cluster/MemberRemove", &r.base, &etcdpb__member_list_response__descriptor, err) &&
	        find_member(c, n, &r.id, &ignored) != ERR_NOT_FOUND)
		return err_wrap(err, "remove %s", n->name);
	n->is_member = n->is_leaving = false;
	node_kill(n);
	return wipe(n, err);
}

int cluster_add_node(struct cluster *c, struct node *n, struct err *err)
{
	Etcdpb__MemberAddRequest r = ETCDPB__MEMBER_ADD_REQUEST__INIT;
	char url[64], *urls[] = {url};
	uint64_t id;
	struct err ignored = ERR_INIT;
	/* Asked first, looked for only when that fails: an earlier try of unknown outcome may have added it. */
	snprintf(url, sizeof url, "http://%s:%d", n->net->address, CLUSTER_PEER_PORT);
	r.peerurls = urls;
	r.n_peerurls = 1;
	if (!cluster_ask(c, "Cluster/MemberAdd", &r.base, &etcdpb__member_add_response__descriptor, err) &&
	        find_member(c, n, &id, &ignored) != 0)
		return err_wrap(err, "add %s", n->name);
	n->was_joined = true;
	n->is_member = true;
	return cluster_start_node(c, n, err);
}

/* A server whose data was damaged and that will not go on with it, or that may have been removed, is given up, and
 * comes back empty. */
static int replace(struct cluster *c, struct node *n, struct err *err)
{
	log_info("jepsen", "server is replaced", "node=%s", n->name);
	return cluster_remove_node(c, n, err) == 0 ? cluster_add_node(c, n, err) : err_wrap(err, "replace %s", n->name);
}

/* Whatever a node needs to serve; 1: later again. Membership is changed by asking a cluster that may be looking for a
 * leader yet: that is tried again, and so is a replacement that got stuck half way, with the node out and not in again.
 */
static int see_to(struct cluster *c, struct node *n, struct err *err)
{
	bool has_ended = node_poll(n);
	if (!n->is_member)
		return cluster_add_node(c, n, err) == 0 ? 0 : 1;
	if (n->is_leaving || (n->is_damaged && (has_ended || n->state == NODE_DOWN)))
		return replace(c, n, err) == 0 ? 0 : 1;
	if (has_ended && !n->excused)
		return err_set(
		        err, ERR_IO, "%s ended by itself (status %d), see %s", n->name, n->last_status, n->log_path);
	return n->state == NODE_DOWN ? cluster_start_node(c, n, err) : 0;
}

int cluster_wait_ready(struct cluster *c, int timeout_ms, struct err *err)
{
	int64_t begin = now_ms();
	for (;;) {
		unsigned ready = 0;
		bool is_late = now_ms() > begin + timeout_ms / 4;
		for (unsigned i = 0; i < c->count; i++) {
			struct err why = ERR_INIT;
			int rc = see_to(c, &c->nodes[i], &why);
			bool does_serve = rc == 0 && serves(c, i, &why);
			ready += does_serve;
			if (!does_serve)
				*err = why;
			if (!does_serve && is_late && c->nodes[i].is_damaged)
				replace(c, &c->nodes[i], &why);
			if (rc < 0)
				return rc;
		}
		if (ready == c->count) {
			*err = ERR_INIT;
			return 0;
		}
		if (now_ms() > begin + timeout_ms)
			return err_wrap(err, "not ready after %d ms", timeout_ms);
		pause_between_polls();
	}
}

static bool hash_at(
        struct cluster *c, unsigned i, int64_t revision, uint32_t *hash, int64_t *compacted, struct err *err)
{
	Etcdpb__CompactionRequest r =
	        ETCDPB__COMPACTION_REQUEST__INIT; /* its first field is HashKVRequest's only one */
	r.revision = revision;
	struct client_answer got =
	        client_call(c->admin[i], "Maintenance/HashKV", &r.base, &etcdpb__hash_kvresponse__descriptor);
	const Etcdpb__HashKVResponse *h = got.message;
	*err = got.err;
	if (!h)
		return false;
	*hash = h->hash;
	*compacted = h->compact_revision;
	return true;
}

int cluster_compare_hashes(struct cluster *c, struct err *err)
{
	Etcdpb__RangeRequest r = ETCDPB__RANGE_REQUEST__INIT;
	uint32_t first = 0;
	int64_t first_compacted = 0;
	if (c->target->serves_kube)
		return 0; /* there the workloads compare lists */
	r.key = client_bytes("jepsen");
	const Etcdpb__RangeResponse *got =
	        cluster_ask(c, "KV/Range", &r.base, &etcdpb__range_response__descriptor, err);
	if (!got)
		return err->code;
	int64_t revision = got->header->revision;
	for (unsigned i = 0, seen = 0; i < c->count; i++) {
		uint32_t hash;
		int64_t compacted;
		if (!c->nodes[i].is_member)
			continue;
		/* After a read it has applied what was there before. */
		if (!serves(c, i, err) || !hash_at(c, i, revision, &hash, &compacted, err))
			return err_wrap(err, "hash of %s", c->nodes[i].name);
		if (seen++ == 0) {
			first = hash;
			first_compacted = compacted;
		} else if (hash != first && compacted == first_compacted) {
			return err_set(err, ERR_CORRUPT,
			        "replicas differ at revision %lld: hash %08x of %s, %08x of another",
			        (long long)revision, hash, c->nodes[i].name, first);
		}
	}
	return 0;
}

bool cluster_crash_words(struct cluster *c, const struct node *n, char *line, size_t size)
{
	FILE *f = fopen(n->log_path, "re");
	bool found = false;
	if (f && n->log_offset)
		fseek(f, n->log_offset, SEEK_SET);
	while (f && !found && fgets(line, (int)size, f))
		for (size_t i = 0; c->target->crash_words[i]; i++)
			found = found || strstr(line, c->target->crash_words[i]);
	if (f)
		fclose(f);
	return found;
}
