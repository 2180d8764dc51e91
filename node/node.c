/* The node: starts its parts in order, hands pods from the API server to their workers, and closes.
 *
 *     node_new:  folders -> containerd (in the background) -> Node object and Lease -> kubelet server
 *     runtime is up: CRI client -> images are imported -> look at what runs -> pods are worked on
 *     API is known: pods of this node come by informer; each gets a worker; what runs without one is stopped
 *
 * Closing takes the other way and leaves containers alone. */
#include "node/node.h"

#include "base/check.h"
#include "api/client/informer.h"
#include "base/file/file_dirs.h"
#include "base/limits.h"
#include "base/log.h"
#include "node/allocation/allocation.h"
#include "node/cgroup/cgroup.h"
#include "node/collect/image_gc.h"
#include "node/config/kubelet_config.h"
#include "node/cpus/cpus.h"
#include "node/csi/csi.h"
#include "node/devices/devices.h"
#include "node/events/events.h"
#include "node/eviction/eviction.h"
#include "node/ground/api_call.h"
#include "node/ground/files.h"
#include "node/ground/machine.h"
#include "node/ground/node_record.h"
#include "node/ground/pod_map.h"
#include "node/memory/memory.h"
#include "node/numa/numa.h"
#include "node/pods/api_pods.h"
#include "node/pods/local_storage.h"
#include "node/pods/static_pod.h"
#include "node/runtime/containerd.h"
#include "node/runtime/cri.h"
#include "node/runtime/image.h"
#include "node/runtime/image_import.h"
#include "node/runtime/address_sweep.h"
#include "node/runtime/log_rotate.h"
#include "node/runtime/pause_image.h"
#include "node/runtime/system_image.h"
#include "node/runtime/view.h"
#include "node/server/kubelet_server.h"
#include "node/server/pod_resources.h"
#include "node/shutdown/shutdown.h"
#include "node/status/node_status.h"
#include "node/status/pod_status.h"
#include "node/topology/topology.h"
#include "node/volume/nfs_mount.h"
#include "node/volume/unmount.h"
#include "node/wasm/wasm.h"
#include "node/worker/operation.h"
#include "node/worker/pod_worker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* How many pods a node takes when nobody says: upstream's number, and one for pods without a process of their own
 * beside. */
enum { POOL_THREADS = 2, PODS_MAX = 110, PODS_MAX_WITH_WASM = 4000 };

static void each_pod(struct node *n, void (*look)(struct pod *p))
{
	LOOP_CHECK_OWNER(n->loop);
	size_t count;
	struct pod **pods = node_pods(n, &count);
	for (size_t i = 0; i < count; i++)
		look(pods[i]);
	free(pods);
}

static void tick_all(struct node *n)
{
	each_pod(n, pod_tick);
}

static void network_ready(struct node *n)
{
	CHECK(n->network_ready);
	node_status_poke(n);
	tick_all(n);
}

/* ---- the runtime ---- */

static void images_came(struct node *n)
{
	images_look_again(n->images);
	node_status_poke(n);
	each_pod(n, pod_images_came);
}

static void images_are_removed(struct node *n)
{
	LOOP_CHECK_OWNER(n->loop);
	node_status_poke(n);
	if (n->wasm)
		wasm_images_removed(n->wasm);
}

static void images_are_in(struct node *n)
{
	LOOP_CHECK_OWNER(n->loop);
	if (n->closing)
		return;
	n->runtime_ready = true;
	log_info("node", "container runtime is ready", "socket=%s", containerd_socket(n->containerd));
	node_status_poke(n);
	tick_all(n);
}

static void runtime_is_up(void *arg)
{
	LOOP_CHECK_OWNER(((struct node *)arg)->loop);
	struct node *n = arg;
	if (n->closing)
		return;
	if (!n->cri) {
		n->cri = cri_new(n->loop, containerd_socket(n->containerd));
		if (n->wasm)
			wasm_attach(n->wasm);
	}
	view_start(n); /* what runs is looked after from now on; what does not waits for its images */
	if (n->runtime_ready)
		image_import_again(n->image_import);
	else
		image_import_start(n->image_import, images_are_in);
}

/* ---- start ---- */

static const char *copy(struct node *n, const char *text, const char *fallback)
{
	return text && *text ? arena_strdup(&n->arena, text) : fallback;
}

static const char *const *copy_list(struct node *n, const char *const *list, size_t count)
{
	const char **v = ARENA_ARRAY(&n->arena, const char *, count + 1);
	for (size_t i = 0; i < count; i++)
		v[i] = arena_strdup(&n->arena, list[i]);
	return v;
}

/* What the kubelet's configuration says goes before our flags of the same meaning: it is the one that was asked for by
 * its upstream name. */
static unsigned pods_max(struct node *n, const struct node_options *o)
{
	unsigned own = o->pods_max ? o->pods_max : o->has_wasm ? PODS_MAX_WITH_WASM : PODS_MAX;
	int64_t told = kubelet_config_int(n->config, "maxPods"),
	        per_core = kubelet_config_int(n->config, "podsPerCore"), most = told == PODS_MAX ? own : told,
	        of_cores = per_core * sysconf(_SC_NPROCESSORS_ONLN);
	return (unsigned)(of_cores && of_cores < most ? of_cores : most);
}

static void take_config(struct node *n)
{
	struct arena *a = &n->arena;
	const char *domain = kubelet_config_text(n->config, "clusterDomain", a),
	           *resolver = kubelet_config_text(n->config, "resolvConf", a);
	struct strbuf dns = STRBUF_INIT;
	JSON_FOREACH (it, kubelet_config_get(n->config, "clusterDNS"))
		strbuf_addf(&dns, "%s%.*s", dns.len ? "," : "", SLICE_FMT(json_str(it)));
	if (*domain)
		n->o.cluster_domain = domain;
	if (dns.len)
		n->o.cluster_dns = arena_strdup(a, strbuf_cstr(&dns));
	strbuf_release(&dns);
	if (strcmp(resolver, "/etc/resolv.conf") != 0)
		n->o.resolv_conf = resolver;
}

static void release_config(void *arg)
{
	kubelet_config_release(arg);
}

static void set_config(struct node *n, const struct kubelet_config *given)
{
	struct kubelet_config *own = ARENA_NEW(&n->arena, struct kubelet_config);
	static const struct kubelet_config_source nothing;
	struct err err = ERR_INIT;
	if (!given) {
		CHECK(kubelet_config_load(&nothing, own, &err) == 0);
		arena_on_release(&n->arena, release_config, own);
	}
	n->config = given ? given : own;
	for (size_t i = 0; i < n->config->warnings_count; i++)
		log_warn("node", "a setting is not heeded", "why=\"%s\"", n->config->warnings[i]);
}

static void copy_options(struct node *n, const struct node_options *o)
{
	n->o = *o;
	set_config(n, o->config);
	n->o.data_dir = copy(n, o->data_dir, "/var/lib/k3x");
	n->o.node_name = copy(n, o->node_name, "localhost");
	n->o.node_ip = copy(n, o->node_ip, "127.0.0.1");
	n->o.node_ip_other = copy(n, o->node_ip_other, NULL);
	n->o.node_external_ip = copy(n, o->node_external_ip, NULL);
	n->o.cni_conf = copy(n, o->cni_conf, NULL);
	n->o.labels = copy_list(n, o->labels, o->labels_count);
	n->o.taints = copy_list(n, o->taints, o->taints_count);
	n->o.container_runtime_endpoint = copy(n, o->container_runtime_endpoint, "");
	n->o.pause_image = copy(n, o->pause_image, PAUSE_IMAGE_DEFAULT);
	n->o.system_image = copy(n, o->system_image, SYSTEM_IMAGE);
	n->o.resolv_conf = copy(n, o->resolv_conf, "/etc/resolv.conf");
	n->o.cluster_cidr = copy(n, o->cluster_cidr, "");
	n->o.cluster_dns = copy(n, o->cluster_dns, "");
	n->o.cluster_domain = copy(n, o->cluster_domain, "cluster.local");
	take_config(n);
	n->kubelet_port = o->kubelet_port;
	n->o.service_host = copy(n, o->service_host, "");
	n->o.serving_cert_file = copy(n, o->serving_cert_file, NULL);
	n->o.serving_key_file = copy(n, o->serving_key_file, NULL);
	n->o.pods_max = pods_max(n, o);
	n->o.wasm_root = copy(n, o->wasm_root, NULL);
	n->o.client_ca_file = copy(n, o->client_ca_file, NULL);
	n->pods_dir = arena_printf(&n->arena, "%s/agent/kubelet/pods", n->o.data_dir);
	n->logs_dir = arena_printf(&n->arena, "%s/agent/kubelet/logs", n->o.data_dir);
}

static int make_folders(struct node *n, struct err *err)
{
	struct arena *a = &n->arena;
	const char *kubelet = arena_printf(a, "%s/agent/kubelet", n->o.data_dir);
	if (file_make_dirs(n->pods_dir, 0750, err) != 0 || file_make_dirs(n->logs_dir, 0750, err) != 0 ||
	        file_make_dirs(arena_printf(a, "%s/agent/images", n->o.data_dir), 0755, err) != 0 ||
	        file_make_dirs(arena_printf(a, "%s/agent/pod-manifests", n->o.data_dir), 0755, err) != 0)
		return err->code;
	/* Secrets and tokens of pods lie below; older versions left it open to every user of the machine. */
	if (chmod(kubelet, 0750) != 0 || chmod(n->pods_dir, 0750) != 0)
		return err_errno(err, errno, "close %s to other users", kubelet);
	return 0;
}

static int start_containerd(struct node *n, struct err *err)
{
	struct arena *a = &n->arena;
	struct containerd_options o = {
	        .loop = n->loop,
	        .root_dir = arena_printf(a, "%s/agent/containerd", n->o.data_dir),
	        .state_dir = n->o.is_default_data_dir ? "/run/k3x/containerd"
	                                              : arena_printf(a, "%s/agent/run/containerd", n->o.data_dir),
	        .config_dir = arena_printf(a, "%s/agent/etc", n->o.data_dir),
	        .pause_image = n->o.pause_image,
	        .endpoint = n->o.container_runtime_endpoint,
	        .on_up = runtime_is_up,
	        .arg = n,
	};
	return containerd_new(&o, &n->containerd, err);
}

/* What it does not let us do is told, and done without. */
static void prepare_machine(void)
{
	struct err err = ERR_INIT;
	if (machine_share_netns(&err) != 0)
		log_warn("node", "pods may stay Terminating once somebody adds a network namespace", "error=\"%s\"",
		        err.msg);
}

/* With "none" among enforceNodeAllocatable, or without "pods", what is reserved is only counted. */
static void make_cgroups(struct node *n)
{
	bool enforces = false;
	int64_t bytes = node_status_pods_memory_bytes(n);
	JSON_FOREACH (it, kubelet_config_get(n->config, "enforceNodeAllocatable"))
		enforces = enforces || slice_is(json_str(it), "pods");
	if (cgroup_is_systemd() && ((enforces && bytes) || kubelet_config_int(n->config, "podPidsLimit") > 0))
		log_warn("node", "groups of pods are systemd's: what is reserved and podPidsLimit are not enforced",
		        "reserved=%s", bytes ? "some" : "none");
	cgroup_make_roots(enforces ? bytes : 0);
}

/* What a lower room tells a higher one goes through here. */
static const struct view_callbacks view_callbacks = {
        .stranger = api_pods_stranger, .container_gone = pod_container_gone, .looked = pod_looked};
static const struct worker_callbacks worker_callbacks = {.status_changed = pod_status_update};

/* Pods run without it. */
static void start_pod_resources(struct node *n)
{
	struct err err = ERR_INIT;
	if (pod_resources_new(n, &n->pod_resources, &err) != 0)
		log_error("node", "nobody is told what containers have", "error=\"%s\"", err.msg);
}

static bool remove_unused_images(struct node *n, void (*done)(void *arg), void *arg)
{
	return n->image_gc && image_gc_remove_unused(n->image_gc, done, arg);
}

static const struct eviction_callbacks eviction_callbacks = {
        .pressures_changed = node_status_poke, .reclaim = remove_unused_images};

static void pod_is_clean(struct node *n, const char *uid)
{
	volumes_remove_orphans(n);
}

static const struct csi_callbacks csi_callbacks = {
        .in_use_changed = node_status_poke, .pod_may_go_on = pod_volumes_may_go_on, .pod_is_clean = pod_is_clean};

static int check_swap(const struct node *n, struct err *err)
{
	bool must_be_off = kubelet_config_bool(n->config, "failSwapOn"), is_on = node_swap_bytes() > 0;
	if (must_be_off && is_on)
		return err_set(err, ERR_INVAL,
		        "running with swap on is not supported, please disable swap or set --kubelet-arg "
		        "fail-swap-on=false");
	if (is_on && !cgroup_limits_swap())
		log_warn("node", "containers may swap: the kernel does not limit it", "swap_bytes=%lld",
		        (long long)node_swap_bytes());
	return 0;
}

static bool is_set(const struct node *n, const char *field, const char *off)
{
	return !slice_is(json_str(kubelet_config_get(n->config, field)), off);
}

/* A machine whose nodes of memory cannot be read does as long as nobody asks where something lies. */
static int open_topology(struct node *n, struct err *err)
{
	struct numa *numa = ARENA_NEW(&n->arena, struct numa);
	struct err why = ERR_INIT;
	n->numa = numa;
	if (numa_read(NULL, numa, &why) != 0) {
		if (is_set(n, "topologyManagerPolicy", "none") || is_set(n, "memoryManagerPolicy", "None"))
			return err_set(err, why.code, "%s", why.msg);
		log_warn("node", "the machine's nodes of memory are not known", "error=\"%s\"", why.msg);
		*numa = (struct numa){.count = 1};
	}
	if (cpus_new(n, numa, &n->cpus, err) != 0 || memory_new(n, numa, &n->memory, err) != 0)
		return err->code;
	if (allocations_new(n, &n->allocations, err) != 0)
		return err->code;
	return topology_new(n, numa, &n->topology, err);
}

static void close_topology(struct node *n)
{
	topology_free(n->topology);
	allocations_free(n->allocations);
	memory_free(n->memory);
	cpus_free(n->cpus);
}

static void release(struct closing *parts);

int node_new(const struct node_options *options, struct node **ret, struct err *err)
{
	struct node *n = xcalloc(1, sizeof *n);
	arena_init(&n->arena);
	list_init(&n->api_calls);
	map_init(&n->pods);
	n->loop = options->loop;
	n->client = options->client;
	copy_options(n, options);
	if (n->o.data_dir[0] != '/')
		err_set(err, ERR_INVAL, "--data-dir %s must be an absolute path", n->o.data_dir);
	if (n->o.data_dir[0] != '/' || shutdown_check(n->config, err) != 0 || check_swap(n, err) != 0 ||
	        make_folders(n, err) != 0 || open_topology(n, err) != 0 || (n->o.has_wasm && wasm_check(n, err) != 0) ||
	        devices_new(n, n->numa, node_status_poke, &n->devices, err) != 0 ||
	        csi_new(n, &csi_callbacks, &n->csi, err) != 0 || start_containerd(n, err) != 0) {
		close_topology(n);
		arena_release(&n->arena);
		free(n);
		return err->code;
	}
	n->pool = pool_new("node-pool", POOL_THREADS, NODE_ERRANDS_MAX);
	n->parts.all_closed = release;
	closing_hold(&n->parts); /* node_close() gives it up */
	n->nfs = nfs_jobs_new(n, 0);
	n->worker_callbacks = &worker_callbacks;
	n->view = view_new(n, &view_callbacks);
	prepare_machine();
	make_cgroups(n);
	n->events = events_new(n);
	if (n->o.has_wasm)
		n->wasm = wasm_new(n, node_status_poke);
	n->images = images_new(n, node_status_poke);
	n->image_import = image_import_new(n, images_came);
	n->server = kubelet_server_new(n);
	start_pod_resources(n);
	n->status = node_status_new(n, network_ready);
	api_pods_watch(n);
	n->static_pods = static_pods_new(n);
	n->log_rotation = log_rotation_new(n);
	n->address_sweep = address_sweep_new(n);
	n->local_storage = local_storage_new(n);
	n->image_gc = image_gc_new(n, images_are_removed);
	n->eviction = eviction_new(n, &eviction_callbacks);
	n->shutdown = shutdown_new(n, node_status_poke);
	*ret = n;
	return 0;
}

/* ---- close ---- */

static void release(struct closing *parts)
{
	CHECK(parts->pending == 0);
	struct node *n = CONTAINER_OF(parts, struct node, parts);
	void (*closed)(void *) = n->closed;
	void *arg = n->closed_arg;
	while (n->pods.count)
		MAP_FOREACH (it, &n->pods) {
			pod_free(it->value);
			break;
		}
	map_release(&n->pods);
	static_pods_free(n->static_pods);
	node_status_free(n->status);
	if (n->wasm)
		wasm_free(n->wasm);
	view_free(n->view);
	close_topology(n);
	devices_free(n->devices);
	csi_free(n->csi);
	nfs_jobs_free(n->nfs);
	images_free(n->images);
	image_import_free(n->image_import);
	events_free(n->events);
	containerd_close(n->containerd);
	pool_free(n->pool);
	arena_release(&n->arena);
	free(n);
	if (closed)
		closed(arg);
}

static void hold(struct node *n)
{
	closing_hold(&n->parts);
}

void node_close(struct node *n, void (*closed)(void *arg), void *arg)
{
	LOOP_CHECK_OWNER(n->loop);
	CHECK(!n->closing);
	n->closing = true;
	n->closed = closed;
	n->closed_arg = arg;
	if (n->wasm)
		hold(n), wasm_close(n->wasm, closing_part_done, &n->parts);
	hold(n), view_close(n->view, closing_part_done, &n->parts);
	if (n->pod_resources)
		hold(n), pod_resources_close(TAKE(n->pod_resources), closing_part_done, &n->parts);
	hold(n), devices_close(n->devices, closing_part_done, &n->parts);
	hold(n), csi_close(n->csi, closing_part_done, &n->parts);
	nfs_jobs_close(n->nfs);
	node_status_close(n->status);
	hold(n), image_import_close(n->image_import, closing_part_done, &n->parts);
	hold(n), static_pods_close(n->static_pods, closing_part_done, &n->parts);
	log_rotation_close(n->log_rotation);
	address_sweep_close(n->address_sweep);
	local_storage_close(n->local_storage);
	eviction_close(n->eviction);
	image_gc_close(n->image_gc);
	if (n->shutdown)
		hold(n), shutdown_close(TAKE(n->shutdown), closing_part_done, &n->parts);
	api_cancel_all(n);
	hold(n), informer_close(n->pod_informer, closing_part_done, &n->parts);
	hold(n), informer_close(n->service_informer, closing_part_done, &n->parts);
	if (n->server)
		hold(n), kubelet_server_close(n->server, closing_part_done, &n->parts);
	if (n->cri)
		hold(n), cri_close(TAKE(n->cri), closing_part_done, &n->parts);
	closing_part_done(&n->parts);
}
