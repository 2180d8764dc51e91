/* A CSI driver for tests/integration/csi_node_test.sh: csi_driver KUBELET DIR NAME CAPABILITY...
 *
 * It registers at KUBELET/plugins_registry/NAME-reg.sock, listens at KUBELET/plugins/NAME/csi.sock, and writes a line
 * to DIR/log for each call, with what it was given. A volume is the folder DIR/volumes/ID, staged and published by bind
 * mounts; a block volume is the loop device that DIR/volumes/ID.dev names. An inline one (its id begins with "csi-") is
 * made when it is published and removed after. While a file DIR/hang-METHOD is there the method is never answered; with
 * DIR/fail-METHOD it fails, with the file's words. CAPABILITY: numbers of NodeServiceCapability. CSI_TYPE, CSI_VERSION
 * and CSI_ZONE of the environment are what it says of itself. */
#include "base/check.h"
#include "base/mem/arena.h"
#include "base/rt/loop.h"
#include "base/wire/grpc.h"
#include "node/runtime/proto/csi.pb-c.h"
#include "node/runtime/proto/plugin_registration.pb-c.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static struct loop loop;
static const char *dir, *name, *endpoint;
static char **capabilities;
static int capabilities_count;

#define CSI(message) Csi__V1__##message

static void note(const char *text)
{
	char path[300];
	snprintf(path, sizeof path, "%s/log", dir);
	FILE *f = fopen(path, "a");
	CHECK(f);
	fprintf(f, "%s\n", text);
	fclose(f);
}

static void answer(struct grpc_stream *s, const ProtobufCMessage *m)
{
	size_t n = protobuf_c_message_get_packed_size(m);
	char *bytes = xmalloc(n + 1);
	protobuf_c_message_pack(m, (uint8_t *)bytes);
	grpc_send(s, (struct slice){bytes, n});
	grpc_finish(s, GRPC_OK, NULL);
	free(bytes);
}

static void answer_empty(struct grpc_stream *s)
{
	CSI(Empty) m = CSI__V1__EMPTY__INIT;
	answer(s, &m.base);
}

static bool has_file(const char *what, const char *method, char *text, size_t size)
{
	char path[300];
	snprintf(path, sizeof path, "%s/%s-%s", dir, what, method);
	FILE *f = fopen(path, "r");
	if (!f)
		return false;
	if (text && !fgets(text, (int)size, f))
		text[0] = 0;
	fclose(f);
	return true;
}

/* ---- what was asked ---- */

static void add_entries(struct strbuf *b, const char *what, CSI(Entry) * *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		strbuf_addf(b, " %s:%s=%s", what, list[i]->key, list[i]->value);
}

static void add_capability(struct strbuf *b, const CSI(VolumeCapability) * c)
{
	CHECK(c && c->access_mode);
	strbuf_addf(b, " mode=%d", c->access_mode->mode);
	if (c->access_type_case == CSI__V1__VOLUME_CAPABILITY__ACCESS_TYPE_BLOCK) {
		strbuf_adds(b, " block");
		return;
	}
	strbuf_addf(b, " fs=%s", c->mount->fs_type);
	for (size_t i = 0; i < c->mount->n_mount_flags; i++)
		strbuf_addf(b, " flag=%s", c->mount->mount_flags[i]);
	if (*c->mount->volume_mount_group)
		strbuf_addf(b, " group=%s", c->mount->volume_mount_group);
}

static bool is_block(const CSI(VolumeCapability) * c)
{
	return c->access_type_case == CSI__V1__VOLUME_CAPABILITY__ACCESS_TYPE_BLOCK;
}

/* ---- mounts ---- */

static const char *source_of(struct arena *a, const char *id, bool block)
{
	char *path = arena_printf(a, "%s/volumes/%s%s", dir, id, block ? ".dev" : ""), line[200] = "";
	if (!block)
		return path;
	FILE *f = fopen(path, "r");
	CHECK(f && fgets(line, sizeof line, f));
	fclose(f);
	line[strcspn(line, "\n")] = 0;
	return arena_strdup(a, line);
}

static bool is_mounted(const char *path)
{
	char line[4096], find[1000];
	bool found = false;
	FILE *f = fopen("/proc/self/mountinfo", "r");
	snprintf(find, sizeof find, " %s ", path);
	while (f && fgets(line, sizeof line, f))
		found = found || strstr(line, find);
	if (f)
		fclose(f);
	return found;
}

static bool bind_mount(const char *from, const char *to, bool block, bool read_only)
{
	if (is_mounted(to))
		return true;
	int fd = block ? open(to, O_CREAT | O_WRONLY | O_CLOEXEC, 0600) : -1;
	if (fd >= 0)
		close(fd);
	else
		mkdir(to, 0750);
	return mount(from, to, NULL, MS_BIND, NULL) == 0 &&
	       (!read_only || mount(NULL, to, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) == 0);
}

static bool undo(const char *path)
{
	if (umount2(path, 0) != 0 && errno != EINVAL && errno != ENOENT)
		return false;
	return unlink(path) == 0 || rmdir(path) == 0 || errno == ENOENT;
}

static void end(struct grpc_stream *s, bool is_well)
{
	if (is_well)
		answer_empty(s);
	else
		grpc_finish(s, GRPC_INTERNAL, strerror(errno));
}

/* ---- methods ---- */

static void stage(struct grpc_stream *s, struct slice m, struct strbuf *b, bool fails)
{
	CSI(NodeStageVolumeRequest) *q =
	        csi__v1__node_stage_volume_request__unpack(NULL, m.len, (const uint8_t *)m.ptr);
	struct arena a = ARENA_INIT;
	CHECK(q);
	strbuf_addf(b, " %s", q->volume_id);
	add_capability(b, q->volume_capability);
	add_entries(b, "publish", q->publish_context, q->n_publish_context);
	add_entries(b, "secret", q->secrets, q->n_secrets);
	add_entries(b, "context", q->volume_context, q->n_volume_context);
	if (!fails)
		end(s, is_block(q->volume_capability) ||
		                bind_mount(source_of(&a, q->volume_id, false), q->staging_target_path, false, false));
	arena_release(&a);
	csi__v1__node_stage_volume_request__free_unpacked(q, NULL);
}

static void publish(struct grpc_stream *s, struct slice m, struct strbuf *b, bool fails)
{
	CSI(NodePublishVolumeRequest) *q =
	        csi__v1__node_publish_volume_request__unpack(NULL, m.len, (const uint8_t *)m.ptr);
	struct arena a = ARENA_INIT;
	CHECK(q);
	bool is_inline = strncmp(q->volume_id, "csi-", 4) == 0, block = is_block(q->volume_capability);
	strbuf_addf(b, " %s", q->volume_id);
	add_capability(b, q->volume_capability);
	strbuf_adds(b, q->readonly ? " readonly" : "");
	strbuf_adds(b, *q->staging_target_path ? " staged" : "");
	add_entries(b, "publish", q->publish_context, q->n_publish_context);
	add_entries(b, "secret", q->secrets, q->n_secrets);
	add_entries(b, "context", q->volume_context, q->n_volume_context);
	if (is_inline)
		mkdir(source_of(&a, q->volume_id, false), 0777);
	const char *from =
	        block || !*q->staging_target_path ? source_of(&a, q->volume_id, block) : q->staging_target_path;
	if (!fails)
		end(s, bind_mount(from, q->target_path, block, q->readonly));
	arena_release(&a);
	csi__v1__node_publish_volume_request__free_unpacked(q, NULL);
}

static void unstage(struct grpc_stream *s, struct slice m, struct strbuf *b, bool fails)
{
	CSI(NodeUnstageVolumeRequest) *q =
	        csi__v1__node_unstage_volume_request__unpack(NULL, m.len, (const uint8_t *)m.ptr);
	CHECK(q);
	strbuf_addf(b, " %s", q->volume_id);
	if (!fails)
		end(s, undo(q->staging_target_path));
	csi__v1__node_unstage_volume_request__free_unpacked(q, NULL);
}

static void unpublish(struct grpc_stream *s, struct slice m, struct strbuf *b, bool fails)
{
	CSI(NodeUnpublishVolumeRequest) *q =
	        csi__v1__node_unpublish_volume_request__unpack(NULL, m.len, (const uint8_t *)m.ptr);
	struct arena a = ARENA_INIT;
	CHECK(q);
	strbuf_addf(b, " %s", q->volume_id);
	if (!fails)
		end(s, undo(q->target_path));
	if (!fails && strncmp(q->volume_id, "csi-", 4) == 0)
		rmdir(source_of(&a, q->volume_id, false));
	arena_release(&a);
	csi__v1__node_unpublish_volume_request__free_unpacked(q, NULL);
}

static void expand(struct grpc_stream *s, struct slice m, struct strbuf *b, bool fails)
{
	CSI(NodeExpandVolumeRequest) *q =
	        csi__v1__node_expand_volume_request__unpack(NULL, m.len, (const uint8_t *)m.ptr);
	CSI(NodeExpandVolumeResponse) r = CSI__V1__NODE_EXPAND_VOLUME_RESPONSE__INIT;
	CHECK(q && q->capacity_range);
	strbuf_addf(b, " %s bytes=%lld", q->volume_id, (long long)q->capacity_range->required_bytes);
	r.capacity_bytes = q->capacity_range->required_bytes;
	if (!fails)
		answer(s, &r.base);
	csi__v1__node_expand_volume_request__free_unpacked(q, NULL);
}

static void stats(struct grpc_stream *s)
{
	CSI(NodeGetVolumeStatsResponse) r = CSI__V1__NODE_GET_VOLUME_STATS_RESPONSE__INIT;
	CSI(VolumeUsage)
	bytes = CSI__V1__VOLUME_USAGE__INIT, inodes = CSI__V1__VOLUME_USAGE__INIT, *usage[] = {&bytes, &inodes};
	CSI(VolumeCondition) condition = CSI__V1__VOLUME_CONDITION__INIT;
	bytes.unit = 1, bytes.total = 1000, bytes.used = 100, bytes.available = 900;
	inodes.unit = 2, inodes.total = 10, inodes.used = 3, inodes.available = 7;
	r.usage = usage;
	r.n_usage = 2;
	r.volume_condition = &condition;
	condition.message = "well";
	answer(s, &r.base);
}

static void get_info(struct grpc_stream *s)
{
	char id[100], key[100];
	CSI(NodeGetInfoResponse) r = CSI__V1__NODE_GET_INFO_RESPONSE__INIT;
	CSI(Topology) topology = CSI__V1__TOPOLOGY__INIT;
	CSI(Entry) zone = CSI__V1__ENTRY__INIT, *segments[] = {&zone};
	snprintf(id, sizeof id, "%s-id", name);
	snprintf(key, sizeof key, "topology.%s/zone", name);
	r.node_id = id;
	r.max_volumes_per_node = 8;
	r.accessible_topology = &topology;
	topology.segments = segments;
	topology.n_segments = 1;
	zone.key = key;
	zone.value = getenv("CSI_ZONE") ? getenv("CSI_ZONE") : "z1";
	answer(s, &r.base);
}

static void get_capabilities(struct grpc_stream *s)
{
	CSI(NodeGetCapabilitiesResponse) r = CSI__V1__NODE_GET_CAPABILITIES_RESPONSE__INIT;
	CSI(NodeServiceCapability) all[16], *list[16];
	CSI(Rpc) rpcs[16];
	for (int i = 0; i < capabilities_count; i++) {
		csi__v1__node_service_capability__init(&all[i]);
		csi__v1__rpc__init(&rpcs[i]);
		rpcs[i].type = atoi(capabilities[i]);
		all[i].rpc = &rpcs[i];
		list[i] = &all[i];
	}
	r.capabilities = list;
	r.n_capabilities = (size_t)capabilities_count;
	answer(s, &r.base);
}

static void tell_plugin(struct grpc_stream *s)
{
	Pluginregistration__PluginInfo r = PLUGINREGISTRATION__PLUGIN_INFO__INIT;
	char *versions[] = {getenv("CSI_VERSION") ? getenv("CSI_VERSION") : "1.0.0"};
	r.type = getenv("CSI_TYPE") ? getenv("CSI_TYPE") : "CSIPlugin";
	r.name = (char *)name;
	r.endpoint = (char *)endpoint;
	r.supported_versions = versions;
	r.n_supported_versions = 1;
	answer(s, &r.base);
}

static void be_told(struct grpc_stream *s, struct slice m, struct strbuf *b)
{
	Pluginregistration__RegistrationStatus *q =
	        pluginregistration__registration_status__unpack(NULL, m.len, (const uint8_t *)m.ptr);
	CHECK(q);
	strbuf_addf(b, " %s%s", q->plugin_registered ? "registered" : "refused: ", q->error);
	answer_empty(s);
	pluginregistration__registration_status__free_unpacked(q, NULL);
}

static void take(struct grpc_stream *s, struct slice m, void *arg)
{
	struct slice path = http_request(grpc_exchange(s))->path;
	const char *method = (const char *)memrchr(path.ptr, '/', path.len) + 1;
	char words[200], call[64];
	struct strbuf b = STRBUF_INIT;
	snprintf(call, sizeof call, "%.*s", (int)(path.len - (size_t)(method - path.ptr)), method);
	strbuf_adds(&b, call);
	bool hangs = has_file("hang", call, NULL, 0), fails = !hangs && has_file("fail", call, words, sizeof words);
	if (strcmp(call, "NodeStageVolume") == 0)
		stage(s, m, &b, hangs || fails);
	else if (strcmp(call, "NodeUnstageVolume") == 0)
		unstage(s, m, &b, hangs || fails);
	else if (strcmp(call, "NodePublishVolume") == 0)
		publish(s, m, &b, hangs || fails);
	else if (strcmp(call, "NodeUnpublishVolume") == 0)
		unpublish(s, m, &b, hangs || fails);
	else if (strcmp(call, "NodeExpandVolume") == 0)
		expand(s, m, &b, hangs || fails);
	else if (strcmp(call, "NodeGetVolumeStats") == 0 && !hangs && !fails)
		stats(s);
	else if (strcmp(call, "NodeGetInfo") == 0 && !hangs && !fails)
		get_info(s);
	else if (strcmp(call, "NodeGetCapabilities") == 0)
		get_capabilities(s);
	else if (strcmp(call, "GetInfo") == 0)
		tell_plugin(s);
	else if (strcmp(call, "NotifyRegistrationStatus") == 0)
		be_told(s, m, &b);
	else if (!hangs && !fails)
		grpc_finish(s, GRPC_UNIMPLEMENTED, "no such method");
	if (fails)
		grpc_finish(s, GRPC_INTERNAL, words);
	note(strbuf_cstr(&b));
	strbuf_release(&b);
}

static void gone(struct grpc_stream *s, void *arg)
{
}

static void handle(struct http_exchange *x, void *arg)
{
	static const struct grpc_stream_callbacks callbacks = {.on_message = take, .on_abort = gone};
	grpc_accept(x, 1 << 20, &callbacks, NULL);
}

static void listen_at(const char *socket)
{
	struct err err = ERR_INIT;
	struct http_server *server;
	struct http_server_options o = {.loop = &loop, .handler = handle};
	unlink(socket);
	CHECK(http_server_new(&o, &server, &err) == 0 && http_server_listen_unix(server, socket, 0600, &err) == 0);
}

int main(int argc, char **argv)
{
	char folder[300], own[400], registry[300];
	CHECK(argc > 3 && argc < 20);
	dir = argv[2];
	name = argv[3];
	endpoint = own;
	capabilities = argv + 4;
	capabilities_count = argc - 4;
	snprintf(folder, sizeof folder, "%s/plugins", argv[1]);
	mkdir(folder, 0755);
	snprintf(folder, sizeof folder, "%s/plugins/%s", argv[1], name);
	mkdir(folder, 0755);
	snprintf(own, sizeof own, "%s/csi.sock", folder);
	snprintf(registry, sizeof registry, "%s/plugins_registry/%s-reg.sock", argv[1], name);
	loop_init(&loop, "csi-driver");
	loop_own(&loop);
	listen_at(own);
	listen_at(registry);
	for (;;)
		loop_turn(&loop);
}
