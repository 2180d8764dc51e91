/* See config_table_int.h. The fields of KubeletConfiguration (kubelet.config.k8s.io/v1beta1) as of Kubernetes 1.32,
 * with upstream's defaults but where k3s has others (eviction of disks, swap, pulls) or where a default of upstream's
 * is not what this node does: then it is what the node does. A field that another value of changes nothing says why,
 * and that is what who asked for it is told. */
#include "node/config/config_table_int.h"

#include "base/check.h"

static const struct config_field fields[] = {
        {"enableServer", NULL, CONFIG_BOOL, "true", "the server of logs and exec is always on"},
        {"staticPodPath", "pod-manifest-path", CONFIG_STRING, "\"\"",
                "manifests lie in agent/pod-manifests of the data folder"},
        {"podLogsDir", NULL, CONFIG_STRING, "\"/var/log/pods\"", "logs lie in agent/kubelet/logs of the data folder"},
        {"syncFrequency", "sync-frequency", CONFIG_DURATION, "\"1m0s\"",
                "nothing is looked at again by the clock: events wake the node"},
        {"fileCheckFrequency", "file-check-frequency", CONFIG_DURATION, "\"20s\"",
                "the folder of manifests is watched"},
        {"httpCheckFrequency", "http-check-frequency", CONFIG_DURATION, "\"20s\"", "manifests come from files alone"},
        {"staticPodURL", "manifest-url", CONFIG_STRING, "\"\"",
                "manifests come from files alone: put them into agent/pod-manifests"},
        {"staticPodURLHeader", "manifest-url-header", CONFIG_TREE, "{}", "manifests come from files alone"},
        {"address", "address", CONFIG_STRING, "\"0.0.0.0\"", "the server listens on all addresses"},
        {"port", "port", CONFIG_INT, "10250", "use --kubelet-port"},
        {"readOnlyPort", "read-only-port", CONFIG_INT, "0", "there is no server without authentication"},
        {"tlsCertFile", "tls-cert-file", CONFIG_STRING, "\"\"",
                "the server's certificate is made by the cluster's authority"},
        {"tlsPrivateKeyFile", "tls-private-key-file", CONFIG_STRING, "\"\"",
                "the server's certificate is made by the cluster's authority"},
        {"tlsCipherSuites", "tls-cipher-suites", CONFIG_STRINGS, "[]", "OpenSSL's defaults are used"},
        {"tlsMinVersion", "tls-min-version", CONFIG_STRING, "\"\"", "TLS 1.2 is the least"},
        {"rotateCertificates", "rotate-certificates", CONFIG_BOOL, "false",
                "certificates are renewed by the supervisor"},
        {"serverTLSBootstrap", NULL, CONFIG_BOOL, "false",
                "the server's certificate is made by the cluster's authority"},
        {"authentication", NULL, CONFIG_TREE,
                "{\"anonymous\":{\"enabled\":false},\"webhook\":{\"enabled\":true,\"cacheTTL\":\"2m0s\"}}",
                "the API server is asked who somebody is"},
        {"authorization", NULL, CONFIG_TREE,
                "{\"mode\":\"Webhook\",\"webhook\":{\"cacheAuthorizedTTL\":\"5m0s\",\"cacheUnauthorizedTTL\":\"30s\"}}",
                "the API server is asked what somebody may"},
        {"registryPullQPS", "registry-qps", CONFIG_INT, "5", "pulls are not counted"},
        {"registryBurst", "registry-burst", CONFIG_INT, "10", "pulls are not counted"},
        {"eventRecordQPS", "event-qps", CONFIG_INT, "50", "events have limits of their own"},
        {"eventBurst", "event-burst", CONFIG_INT, "100", "events have limits of their own"},
        {"enableDebuggingHandlers", "enable-debugging-handlers", CONFIG_BOOL, "true",
                "logs and exec are always served"},
        {"enableContentionProfiling", "contention-profiling", CONFIG_BOOL, "false", "there is no profiler in it"},
        {"healthzPort", "healthz-port", CONFIG_INT, "10248", "/healthz is on the port of the kubelet"},
        {"healthzBindAddress", "healthz-bind-address", CONFIG_STRING, "\"127.0.0.1\"",
                "/healthz is on the port of the kubelet"},
        {"oomScoreAdj", "oom-score-adj", CONFIG_INT, "-999", "it is set where the machine allows it"},
        {"clusterDomain", "cluster-domain", CONFIG_STRING, "\"\"", NULL},
        {"clusterDNS", "cluster-dns", CONFIG_STRINGS, "[]", NULL},
        {"streamingConnectionIdleTimeout", "streaming-connection-idle-timeout", CONFIG_DURATION, "\"4h0m0s\"",
                "streams last as long as both ends"},
        {"nodeStatusUpdateFrequency", "node-status-update-frequency", CONFIG_DURATION, "\"10s\"",
                "the status is looked at every ten seconds and when it changes"},
        {"nodeStatusReportFrequency", NULL, CONFIG_DURATION, "\"5m0s\"",
                "the status is written when it changes, and every five minutes"},
        {"nodeLeaseDurationSeconds", NULL, CONFIG_INT, "40", "a lease is of 40 seconds"},
        {"imageMinimumGCAge", "minimum-image-ttl-duration", CONFIG_DURATION, "\"2m0s\"", NULL},
        {"imageMaximumGCAge", NULL, CONFIG_DURATION, "\"0s\"", NULL},
        {"imageGCHighThresholdPercent", "image-gc-high-threshold", CONFIG_PERCENT, "85", NULL},
        {"imageGCLowThresholdPercent", "image-gc-low-threshold", CONFIG_PERCENT, "80", NULL},
        {"volumeStatsAggPeriod", "volume-stats-agg-period", CONFIG_DURATION, "\"1m0s\"",
                "volumes are measured when somebody needs to know"},
        {"kubeletCgroups", "kubelet-cgroups", CONFIG_STRING, "\"\"", "the group that started k3x is kept"},
        {"systemCgroups", "system-cgroups", CONFIG_STRING, "\"\"", "processes of the system stay where they are"},
        {"cgroupRoot", "cgroup-root", CONFIG_STRING, "\"\"", "pods lie below /kubepods"},
        {"cgroupsPerQOS", "cgroups-per-qos", CONFIG_BOOL, "true", "pods have groups by their class always"},
        {"cgroupDriver", "cgroup-driver", CONFIG_STRING, "\"cgroupfs\"",
                "it is systemd's where systemd runs with cgroup v2, else the files"},
        {"cpuManagerPolicy", "cpu-manager-policy", CONFIG_STRING, "\"none\"", NULL},
        {"cpuManagerPolicyOptions", "cpu-manager-policy-options", CONFIG_PAIRS, "{}",
                "CPUs are given out without options"},
        {"cpuManagerReconcilePeriod", "cpu-manager-reconcile-period", CONFIG_DURATION, "\"10s\"",
                "containers are moved when CPUs are given out or back"},
        {"memoryManagerPolicy", "memory-manager-policy", CONFIG_STRING, "\"None\"", NULL},
        {"topologyManagerPolicy", "topology-manager-policy", CONFIG_STRING, "\"none\"", NULL},
        {"topologyManagerScope", "topology-manager-scope", CONFIG_STRING, "\"container\"", NULL},
        {"topologyManagerPolicyOptions", "topology-manager-policy-options", CONFIG_PAIRS, "{}",
                "places are weighed without options"},
        {"qosReserved", "qos-reserved", CONFIG_PAIRS, "{}", "memory is not held back by class"},
        {"runtimeRequestTimeout", "runtime-request-timeout", CONFIG_DURATION, "\"2m0s\"",
                "each call to the runtime has a time of its own"},
        {"hairpinMode", "hairpin-mode", CONFIG_STRING, "\"promiscuous-bridge\"", "the bridge plugin has hairpins on"},
        {"maxPods", "max-pods", CONFIG_INT, "110", NULL},
        {"podCIDR", "pod-cidr", CONFIG_STRING, "\"\"", "the control plane gives the range of pods"},
        {"podPidsLimit", "pod-max-pids", CONFIG_INT, "-1", NULL},
        {"resolvConf", "resolv-conf", CONFIG_STRING, "\"/etc/resolv.conf\"", NULL},
        {"runOnce", "runonce", CONFIG_BOOL, "false", "the node goes on"},
        {"cpuCFSQuota", "cpu-cfs-quota", CONFIG_BOOL, "true", NULL},
        {"cpuCFSQuotaPeriod", "cpu-cfs-quota-period", CONFIG_DURATION, "\"100ms\"", "the period is 100 ms"},
        {"nodeStatusMaxImages", "node-status-max-images", CONFIG_INT, "50", NULL},
        {"maxOpenFiles", "max-open-files", CONFIG_INT, "1000000", "systemd's unit says how many files may be open"},
        {"contentType", "kube-api-content-type", CONFIG_STRING, "\"application/vnd.kubernetes.protobuf\"",
                "the node speaks JSON"},
        {"kubeAPIQPS", "kube-api-qps", CONFIG_INT, "50", "requests to the API server are not counted"},
        {"kubeAPIBurst", "kube-api-burst", CONFIG_INT, "100", "requests to the API server are not counted"},
        {"serializeImagePulls", "serialize-image-pulls", CONFIG_BOOL, "false", "images are pulled beside each other"},
        {"maxParallelImagePulls", NULL, CONFIG_INT, "0", "the pulls at once are as many as the starts of pods"},
        {"evictionHard", "eviction-hard", CONFIG_PAIRS,
                "{\"memory.available\":\"100Mi\",\"nodefs.available\":\"5%\",\"nodefs.inodesFree\":\"5%\",\"imagefs."
                "available\":\"5%\",\"imagefs.inodesFree\":\"5%\"}",
                NULL},
        {"evictionSoft", "eviction-soft", CONFIG_PAIRS, "{}", NULL},
        {"evictionSoftGracePeriod", "eviction-soft-grace-period", CONFIG_PAIRS, "{}", NULL},
        {"evictionPressureTransitionPeriod", "eviction-pressure-transition-period", CONFIG_DURATION, "\"5m0s\"", NULL},
        {"evictionMaxPodGracePeriod", "eviction-max-pod-grace-period", CONFIG_INT, "0", NULL},
        {"evictionMinimumReclaim", "eviction-minimum-reclaim", CONFIG_PAIRS,
                "{\"nodefs.available\":\"10%\",\"imagefs.available\":\"10%\"}", NULL},
        {"podsPerCore", "pods-per-core", CONFIG_INT, "0", NULL},
        {"enableControllerAttachDetach", "enable-controller-attach-detach", CONFIG_BOOL, "true",
                "volumes are attached by the controller alone"},
        {"protectKernelDefaults", "protect-kernel-defaults", CONFIG_BOOL, "false",
                "see k3x check-config for what the kernel needs"},
        {"makeIPTablesUtilChains", "make-iptables-util-chains", CONFIG_BOOL, "true",
                "rules are nftables', of the service proxy"},
        {"iptablesMasqueradeBit", "iptables-masquerade-bit", CONFIG_INT, "14",
                "rules are nftables', of the service proxy"},
        {"iptablesDropBit", "iptables-drop-bit", CONFIG_INT, "15", "rules are nftables', of the service proxy"},
        {"featureGates", "feature-gates", CONFIG_TREE, "{}", NULL},
        {"failSwapOn", "fail-swap-on", CONFIG_BOOL, "false", NULL},
        {"memorySwap", NULL, CONFIG_TREE, "{}", NULL},
        {"containerLogMaxSize", "container-log-max-size", CONFIG_QUANTITY, "\"10Mi\"", NULL},
        {"containerLogMaxFiles", "container-log-max-files", CONFIG_INT, "5", NULL},
        {"containerLogMaxWorkers", NULL, CONFIG_INT, "1", "logs are rotated one after the other"},
        {"containerLogMonitorInterval", NULL, CONFIG_DURATION, "\"10s\"", "logs are looked at every twenty seconds"},
        {"configMapAndSecretChangeDetectionStrategy", NULL, CONFIG_STRING, "\"Watch\"",
                "files follow within 45 seconds"},
        {"systemReserved", "system-reserved", CONFIG_PAIRS, "{}", NULL},
        {"kubeReserved", "kube-reserved", CONFIG_PAIRS, "{}", NULL},
        {"reservedSystemCPUs", "reserved-cpus", CONFIG_STRING, "\"\"", NULL},
        {"showHiddenMetricsForVersion", "show-hidden-metrics-for-version", CONFIG_STRING, "\"\"",
                "no metric is hidden"},
        {"systemReservedCgroup", "system-reserved-cgroup", CONFIG_STRING, "\"\"",
                "what is reserved is held back from pods, not enforced on the system"},
        {"kubeReservedCgroup", "kube-reserved-cgroup", CONFIG_STRING, "\"\"",
                "what is reserved is held back from pods, not enforced on k3x"},
        {"enforceNodeAllocatable", "enforce-node-allocatable", CONFIG_STRINGS, "[\"pods\"]", NULL},
        {"allowedUnsafeSysctls", "allowed-unsafe-sysctls", CONFIG_STRINGS, "[]", NULL},
        {"volumePluginDir", "volume-plugin-dir", CONFIG_STRING,
                "\"/usr/libexec/kubernetes/kubelet-plugins/volume/exec/\"", "flexvolumes are not run"},
        {"providerID", "provider-id", CONFIG_STRING, "\"\"", NULL},
        {"kernelMemcgNotification", "kernel-memcg-notification", CONFIG_BOOL, "false",
                "memory is looked at every ten seconds"},
        {"logging", NULL, CONFIG_TREE, "{}", "use --debug, --log and --v of k3x"},
        {"enableSystemLogHandler", NULL, CONFIG_BOOL, "true", "logs of the machine are not served"},
        {"enableSystemLogQuery", NULL, CONFIG_BOOL, "false", "logs of the machine are not served"},
        {"shutdownGracePeriod", NULL, CONFIG_DURATION, "\"0s\"", NULL},
        {"shutdownGracePeriodCriticalPods", NULL, CONFIG_DURATION, "\"0s\"", NULL},
        {"shutdownGracePeriodByPodPriority", NULL, CONFIG_TREES, "[]", NULL},
        {"crashLoopBackOff", NULL, CONFIG_TREE, "{}", "a restart waits 10 s to 5 min"},
        {"reservedMemory", "reserved-memory", CONFIG_TREES, "[]", NULL},
        {"enableProfilingHandler", NULL, CONFIG_BOOL, "true", "there is no profiler in it"},
        {"enableDebugFlagsHandler", NULL, CONFIG_BOOL, "true", "there are no flags to change while it runs"},
        {"seccompDefault", "seccomp-default", CONFIG_BOOL, "false", NULL},
        {"memoryThrottlingFactor", NULL, CONFIG_NUMBER, "0.9", "memory.high is not set"},
        {"registerWithTaints", "register-with-taints", CONFIG_TREES, "[]", "use --node-taint"},
        {"registerNode", "register-node", CONFIG_BOOL, "true", "the node always registers"},
        {"tracing", NULL, CONFIG_TREE, "{}", "there are no traces"},
        {"localStorageCapacityIsolation", "local-storage-capacity-isolation", CONFIG_BOOL, "true",
                "local storage is always counted"},
        {"containerRuntimeEndpoint", "container-runtime-endpoint", CONFIG_STRING, "\"\"",
                "use --container-runtime-endpoint of k3x"},
        {"imageServiceEndpoint", "image-service-endpoint", CONFIG_STRING, "\"\"", "images are asked of the runtime"},
        {"failCgroupV1", NULL, CONFIG_BOOL, "false", "both versions are taken"},
};

static const struct {
	const char *flag, *instead;
} others[] = {
        {"node-labels", "use --node-label"},
        {"node-ip", "use --node-ip"},
        {"hostname-override", "use --node-name"},
        {"root-dir", "use --data-dir: the kubelet's folder lies in it"},
        {"pod-infra-container-image", "use --pause-image"},
        {"kubeconfig", "the node's credentials are made when it joins"},
        {"bootstrap-kubeconfig", "the node's credentials are made when it joins: use --token"},
        {"cert-dir", "the node's certificates lie in the data folder"},
        {"cloud-provider", "there is no cloud controller"},
        {"config-dir", "the drop-in folder is agent/etc/kubelet.conf.d of the data folder"},
        {"image-credential-provider-bin-dir", "credential providers are not run: use registries.yaml or pull secrets"},
        {"image-credential-provider-config", "credential providers are not run: use registries.yaml or pull secrets"},
        {"v", "use --v of k3x"},
        {"logging-format", "use the log's flags of k3x"},
        {"anonymous-auth", "the API server is asked who somebody is"},
        {"authentication-token-webhook", "the API server is asked who somebody is"},
        {"authorization-mode", "the API server is asked what somebody may"},
        {"client-ca-file", "it is the cluster's authority"},
        {"minimum-container-ttl-duration", "two dead containers of each name are kept"},
        {"maximum-dead-containers", "two dead containers of each name are kept"},
        {"maximum-dead-containers-per-container", "two dead containers of each name are kept"},
};

const struct config_field *config_fields(size_t *ret_count)
{
	*ret_count = COUNT_OF(fields);
	return fields;
}

const struct config_field *config_field_named(struct slice name)
{
	for (size_t i = 0; i < COUNT_OF(fields); i++)
		if (slice_is(name, fields[i].name))
			return &fields[i];
	return NULL;
}

const struct config_field *config_field_of_flag(struct slice flag)
{
	for (size_t i = 0; i < COUNT_OF(fields); i++)
		if (fields[i].flag && slice_is(flag, fields[i].flag))
			return &fields[i];
	return NULL;
}

const char *config_flag_instead(struct slice flag)
{
	for (size_t i = 0; i < COUNT_OF(others); i++)
		if (slice_is(flag, others[i].flag))
			return others[i].instead;
	return NULL;
}

bool config_gate_named(struct slice name, bool *ret_is_on)
{
	static const struct {
		const char *name;
		bool is_on;
	} gates[] = {{"InPlacePodVerticalScaling", false}, {"KubeletPodResourcesGet", false}, {"NodeSwap", true}};
	for (size_t i = 0; i < COUNT_OF(gates); i++)
		if (slice_is(name, gates[i].name)) {
			*ret_is_on = gates[i].is_on;
			return true;
		}
	return false;
}
