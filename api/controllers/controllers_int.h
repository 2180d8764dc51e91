/* What the controllers share: the context they live in, and the table of them. A controller is one file with one start
 * function that makes its state, its queue and its handlers; the context closes queues, handlers and recorders, and
 * then calls the release function for the state. */
#ifndef K3X_API_CONTROLLERS_CONTROLLERS_INT_H
#define K3X_API_CONTROLLERS_CONTROLLERS_INT_H

#include "base/rt/closing.h"
#include "api/client/expectations.h"
#include "api/client/informer_set.h"
#include "api/client/meta.h"
#include "api/client/recorder.h"
#include "api/client/work_queue.h"
#include "api/controllers/controllers.h"
#include "api/controllers/hpa.h"
#include "base/check.h"
#include "base/json/scan.h"

#include <stdio.h>
#include <stdlib.h>

#define PODS "/api/v1/pods"
#define NODES "/api/v1/nodes"
#define NAMESPACES "/api/v1/namespaces"
#define SERVICES "/api/v1/services"
#define REPLICASETS "/apis/apps/v1/replicasets"
#define DEPLOYMENTS "/apis/apps/v1/deployments"
#define DAEMONSETS "/apis/apps/v1/daemonsets"
#define STATEFULSETS "/apis/apps/v1/statefulsets"
#define REVISIONS "/apis/apps/v1/controllerrevisions"
#define CLAIMS "/api/v1/persistentvolumeclaims"
#define VOLUMES "/api/v1/persistentvolumes"
#define STORAGE_CLASSES "/apis/storage.k8s.io/v1/storageclasses"
#define REPLICATION_CONTROLLERS "/api/v1/replicationcontrollers"
#define BUDGETS "/apis/policy/v1/poddisruptionbudgets"
#define JOBS "/apis/batch/v1/jobs"
#define CERTIFICATE_REQUESTS "/apis/certificates.k8s.io/v1/certificatesigningrequests"
#define CRDS "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"

/* Who owns the fields of what lies in server/manifests. */
#define DEPLOY_MANAGER "deploy"

static const char apply_patch[] __attribute__((unused)) = "application/apply-patch+yaml";
static const char merge_patch[] = "application/merge-patch+json";
static const char strategic_patch[] = "application/strategic-merge-patch+json";

enum { CONTROLLERS_PORTS_MAX = 8 };

struct controllers {
	struct client *client; /* the controller's that is being started; later the controller manager's */
	struct informer_set *informers;
	struct arena arena;  /* options and small things that live as long as this */
	const char *root_ca; /* PEM text, NULL: none */
	const char *client_ca_file, *client_ca_key_file, *server_ca_file, *server_ca_key_file; /* NULL: none signs */
	const char *cluster_cidr;
	bool serves_load_balancers;
	int reserved_ports[CONTROLLERS_PORTS_MAX + 1];
	unsigned node_grace_s;
	unsigned node_mask_bits, node_mask_bits_v6;
	size_t terminated_pods_max;
	int64_t token_period_s; /* that a token in a Secret may be unused */
	double eviction_rate, secondary_eviction_rate, unhealthy_zone_threshold;
	size_t large_zone_nodes;
	int64_t hpa_period_s;
	struct hpa_settings hpa;
	const char *manifests_dir; /* NULL: none is read */
	bool installs_charts;
	const char *helm_job_image; /* NULL: none */
	const char *const *disabled_addons;
	size_t n_disabled_addons;
	struct list_link queues, listeners, recorders;
	void **states; /* one for each row of the table */
	struct closing closing;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* All three end with the context. The queue starts when the informers are synced. */
struct work_queue *controllers_queue(
        struct controllers *c, const char *name, unsigned workers, void (*run)(struct work *w), void *arg);
struct recorder *controllers_recorder(struct controllers *c, const char *component);
struct shared_informer *controllers_listen(
        struct controllers *c, const char *path, const struct informer_handler *handler);

static inline uint64_t controllers_now_ms(const struct controllers *c)
{
	return loop_now_ms(c->client->loop);
}

/* The table of controllers: CONTROLLER(name, identity, prefix, stop). A controller is a file with two functions,
 * PREFIX_start(), which returns its state, and PREFIX_release(), which frees it once nothing calls it any more; and a
 * row here. `identity`: the service account of kube-system that its queues and recorders act as, with the rights of the
 * role system:controller:IDENTITY; "" is the controller manager itself. `stop` takes off what it made itself beside
 * what the context made for it; NULL: nothing. */
#define CONTROLLERS \
	CONTROLLER("namespace", "namespace-controller", namespace_controller, NULL) \
	CONTROLLER("serviceaccount", "service-account-controller", service_account_controller, NULL) \
	CONTROLLER("rootca", "root-ca-cert-publisher", root_ca_controller, NULL) \
	CONTROLLER("clusterrole-aggregation", "clusterrole-aggregation-controller", role_aggregation_controller, NULL) \
	CONTROLLER("validatingadmissionpolicy-status", "validatingadmissionpolicy-status-controller", \
	        policy_status_controller, NULL) \
	CONTROLLER("replicaset", "replicaset-controller", replica_set_controller, NULL) \
	CONTROLLER("deployment", "deployment-controller", deployment_controller, NULL) \
	CONTROLLER("daemonset", "daemon-set-controller", daemon_set_controller, NULL) \
	CONTROLLER("statefulset", "statefulset-controller", stateful_set_controller, NULL) \
	CONTROLLER("replicationcontroller", "replication-controller", replication_controller, NULL) \
	CONTROLLER("disruption", "disruption-controller", disruption_controller, NULL) \
	CONTROLLER("stale-disruption", "disruption-controller", stale_disruption_controller, NULL) \
	CONTROLLER("job", "job-controller", job_controller, NULL) \
	CONTROLLER("cronjob", "cronjob-controller", cron_job_controller, NULL) \
	CONTROLLER("ttl-after-finished", "ttl-after-finished-controller", ttl_after_finished_controller, NULL) \
	CONTROLLER("horizontal-pod-autoscaling", "horizontal-pod-autoscaler", hpa_controller, NULL) \
	CONTROLLER("resourcequota", "resourcequota-controller", resource_quota_controller, NULL) \
	CONTROLLER("endpointslice", "endpointslice-controller", endpoint_slice_controller, NULL) \
	CONTROLLER("service-lb", "service-lb-controller", service_lb_controller, NULL) \
	CONTROLLER("endpointslicemirroring", "endpointslicemirroring-controller", endpoint_slice_mirroring, NULL) \
	CONTROLLER("nodeipam", "node-controller", node_ipam_controller, NULL) \
	CONTROLLER("nodelifecycle", "node-controller", node_lifecycle_controller, NULL) \
	CONTROLLER("tainteviction", "node-controller", taint_eviction_controller, NULL) \
	CONTROLLER("podgc", "pod-garbage-collector", pod_gc_controller, NULL) \
	CONTROLLER("node-password", "node-password-cleaner", node_password, node_password_stop) \
	CONTROLLER("token", "", token_controller, NULL) \
	CONTROLLER("token-cleaner", "token-cleaner", token_cleaner, token_cleaner_stop) \
	CONTROLLER("legacy-token-cleaner", "legacy-service-account-token-cleaner", legacy_token_cleaner, NULL) \
	CONTROLLER("persistentvolume-binder", "persistent-volume-binder", binder, NULL) \
	CONTROLLER("persistentvolume-expander", "expand-controller", expander, NULL) \
	CONTROLLER("attachdetach", "attachdetach-controller", attach_detach, NULL) \
	CONTROLLER("ephemeral-volume", "ephemeral-volume-controller", ephemeral_volume, NULL) \
	CONTROLLER("bootstrapsigner", "bootstrap-signer", bootstrap_signer, bootstrap_signer_stop) \
	CONTROLLER("pvcprotection", "pvc-protection-controller", claim_protection, NULL) \
	CONTROLLER("pvprotection", "pv-protection-controller", volume_protection, NULL) \
	CONTROLLER("csrapproving", "certificate-controller", csr_approver, NULL) \
	CONTROLLER("csrsigning", "certificate-controller", csr_signer, NULL) \
	CONTROLLER("csrcleaner", "certificate-controller", csr_cleaner, NULL) \
	CONTROLLER("deploy", "deploy-controller", deploy_controller, deploy_controller_stop) \
	CONTROLLER("helm-charts", "helm-controller", helm_charts, helm_charts_stop) \
	CONTROLLER("garbage", "generic-garbage-collector", garbage_collector, garbage_collector_stop)

#define CONTROLLER(name, identity, prefix, stop) \
	void *prefix##_start(struct controllers *c); \
	void prefix##_release(void *state);
CONTROLLERS
#undef CONTROLLER
void deploy_controller_stop(void *state);
void garbage_collector_stop(void *state);
void helm_charts_stop(void *state);
void node_password_stop(void *state);
void token_cleaner_stop(void *state);
void bootstrap_signer_stop(void *state);

/* ---- small things that several need ---- */

/* {"metadata":{"resourceVersion":"..."}}: a patch that fails when the object has changed since. */
struct json *patch_new(struct arena *a, struct slice resource_version);
/* Int or percent of `total`: "25%" of 10 is 3 rounded up, 2 down. `v` absent: fallback. */
int64_t int_or_percent(const struct json *v, int64_t total, bool round_up, int64_t fallback);

#endif
