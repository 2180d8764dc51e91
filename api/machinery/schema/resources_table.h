/* The built-in resources, one row each, for resources.c only.
 *
 * Groups stand in discovery's order (upstream's APIService priorities), the preferred version of a group first,
 * resources by name. ROW(group, version, Kind, plural, short names, categories, scope, verbs, flags, subresources,
 * storage) scope    N namespaced, C cluster verbs    ALL, or letters: g get, l list, w watch, c create, u update, p
 * patch, d delete, D deletecollection flags    G counts metadata.generation storage  prefix below /registry when it is
 * not the plural; NULL: not stored Lists in one text have blanks between. Storage names are kube-apiserver's
 * (SpecialDefaultResourcePrefixes). */
#ifndef K3X_API_MACHINERY_SCHEMA_RESOURCES_TABLE_H
#define K3X_API_MACHINERY_SCHEMA_RESOURCES_TABLE_H

#define ALL "glwcupdD"

#define RESOURCE_ROWS \
	ROW("", "v1", Binding, "bindings", "", "", N, "c", "", "", NULL) \
	ROW("", "v1", ComponentStatus, "componentstatuses", "cs", "", C, "gl", "", "", NULL) \
	ROW("", "v1", ConfigMap, "configmaps", "cm", "", N, ALL, "", "", "configmaps") \
	ROW("", "v1", Endpoints, "endpoints", "ep", "", N, ALL, "", "", "services/endpoints") \
	ROW("", "v1", Event, "events", "ev", "", N, ALL, "", "", "events") \
	ROW("", "v1", LimitRange, "limitranges", "limits", "", N, ALL, "", "", "limitranges") \
	ROW("", "v1", Namespace, "namespaces", "ns", "", C, "glwcupd", "", "finalize status", "namespaces") \
	ROW("", "v1", Node, "nodes", "no", "", C, ALL, "", "proxy status", "minions") \
	ROW("", "v1", PersistentVolumeClaim, "persistentvolumeclaims", "pvc", "", N, ALL, "", "status", \
	        "persistentvolumeclaims") \
	ROW("", "v1", PersistentVolume, "persistentvolumes", "pv", "", C, ALL, "", "status", "persistentvolumes") \
	ROW("", "v1", Pod, "pods", "po", "all", N, ALL, "", \
	        "attach binding ephemeralcontainers eviction exec log portforward proxy resize status", "pods") \
	ROW("", "v1", PodTemplate, "podtemplates", "", "", N, ALL, "G", "", "podtemplates") \
	ROW("", "v1", ReplicationController, "replicationcontrollers", "rc", "all", N, ALL, "G", "scale status", \
	        "controllers") \
	ROW("", "v1", ResourceQuota, "resourcequotas", "quota", "", N, ALL, "", "status", "resourcequotas") \
	ROW("", "v1", Secret, "secrets", "", "", N, ALL, "", "", "secrets") \
	ROW("", "v1", ServiceAccount, "serviceaccounts", "sa", "", N, ALL, "", "token", "serviceaccounts") \
	ROW("", "v1", Service, "services", "svc", "all", N, ALL, "", "proxy status", "services/specs") \
	ROW("apiregistration.k8s.io", "v1", APIService, "apiservices", "", "api-extensions", C, ALL, "", "status", \
	        "apiregistration.k8s.io/apiservices") \
	ROW("apps", "v1", ControllerRevision, "controllerrevisions", "", "", N, ALL, "", "", "controllerrevisions") \
	ROW("apps", "v1", DaemonSet, "daemonsets", "ds", "all", N, ALL, "G", "status", "daemonsets") \
	ROW("apps", "v1", Deployment, "deployments", "deploy", "all", N, ALL, "G", "scale status", "deployments") \
	ROW("apps", "v1", ReplicaSet, "replicasets", "rs", "all", N, ALL, "G", "scale status", "replicasets") \
	ROW("apps", "v1", StatefulSet, "statefulsets", "sts", "all", N, ALL, "G", "scale status", "statefulsets") \
	ROW("events.k8s.io", "v1", Event, "events", "ev", "", N, ALL, "", "", "events") \
	ROW("authentication.k8s.io", "v1", SelfSubjectReview, "selfsubjectreviews", "", "", C, "c", "", "", NULL) \
	ROW("authentication.k8s.io", "v1", TokenReview, "tokenreviews", "", "", C, "c", "", "", NULL) \
	ROW("authorization.k8s.io", "v1", LocalSubjectAccessReview, "localsubjectaccessreviews", "", "", N, "c", "", \
	        "", NULL) \
	ROW("authorization.k8s.io", "v1", SelfSubjectAccessReview, "selfsubjectaccessreviews", "", "", C, "c", "", "", \
	        NULL) \
	ROW("authorization.k8s.io", "v1", SelfSubjectRulesReview, "selfsubjectrulesreviews", "", "", C, "c", "", "", \
	        NULL) \
	ROW("authorization.k8s.io", "v1", SubjectAccessReview, "subjectaccessreviews", "", "", C, "c", "", "", NULL) \
	ROW("autoscaling", "v2", HorizontalPodAutoscaler, "horizontalpodautoscalers", "hpa", "all", N, ALL, "", \
	        "status", "horizontalpodautoscalers") \
	ROW("autoscaling", "v1", HorizontalPodAutoscaler, "horizontalpodautoscalers", "hpa", "all", N, ALL, "", \
	        "status", "horizontalpodautoscalers") \
	ROW("batch", "v1", CronJob, "cronjobs", "cj", "all", N, ALL, "G", "status", "cronjobs") \
	ROW("batch", "v1", Job, "jobs", "", "all", N, ALL, "G", "status", "jobs") \
	ROW("certificates.k8s.io", "v1", CertificateSigningRequest, "certificatesigningrequests", "csr", "", C, ALL, \
	        "", "approval status", "certificatesigningrequests") \
	ROW("networking.k8s.io", "v1", IngressClass, "ingressclasses", "", "", C, ALL, "G", "", "ingressclasses") \
	ROW("networking.k8s.io", "v1", Ingress, "ingresses", "ing", "", N, ALL, "G", "status", "ingress") \
	ROW("networking.k8s.io", "v1", NetworkPolicy, "networkpolicies", "netpol", "", N, ALL, "G", "", \
	        "networkpolicies") \
	ROW("policy", "v1", PodDisruptionBudget, "poddisruptionbudgets", "pdb", "", N, ALL, "G", "status", \
	        "poddisruptionbudgets") \
	ROW("rbac.authorization.k8s.io", "v1", ClusterRoleBinding, "clusterrolebindings", "", "", C, ALL, "", "", \
	        "clusterrolebindings") \
	ROW("rbac.authorization.k8s.io", "v1", ClusterRole, "clusterroles", "", "", C, ALL, "", "", "clusterroles") \
	ROW("rbac.authorization.k8s.io", "v1", RoleBinding, "rolebindings", "", "", N, ALL, "", "", "rolebindings") \
	ROW("rbac.authorization.k8s.io", "v1", Role, "roles", "", "", N, ALL, "", "", "roles") \
	ROW("storage.k8s.io", "v1", CSIDriver, "csidrivers", "", "", C, ALL, "", "", "csidrivers") \
	ROW("storage.k8s.io", "v1", CSINode, "csinodes", "", "", C, ALL, "", "", "csinodes") \
	ROW("storage.k8s.io", "v1", CSIStorageCapacity, "csistoragecapacities", "", "", N, ALL, "", "", \
	        "csistoragecapacities") \
	ROW("storage.k8s.io", "v1", StorageClass, "storageclasses", "sc", "", C, ALL, "", "", "storageclasses") \
	ROW("storage.k8s.io", "v1", VolumeAttachment, "volumeattachments", "", "", C, ALL, "", "status", \
	        "volumeattachments") \
	ROW("admissionregistration.k8s.io", "v1", MutatingWebhookConfiguration, "mutatingwebhookconfigurations", "", \
	        "api-extensions", C, ALL, "G", "", "mutatingwebhookconfigurations") \
	ROW("admissionregistration.k8s.io", "v1", ValidatingAdmissionPolicy, "validatingadmissionpolicies", "", \
	        "api-extensions", C, ALL, "G", "status", "validatingadmissionpolicies") \
	ROW("admissionregistration.k8s.io", "v1", ValidatingAdmissionPolicyBinding, \
	        "validatingadmissionpolicybindings", "", "api-extensions", C, ALL, "G", "", \
	        "validatingadmissionpolicybindings") \
	ROW("admissionregistration.k8s.io", "v1", ValidatingWebhookConfiguration, "validatingwebhookconfigurations", \
	        "", "api-extensions", C, ALL, "G", "", "validatingwebhookconfigurations") \
	ROW("apiextensions.k8s.io", "v1", CustomResourceDefinition, "customresourcedefinitions", "crd crds", \
	        "api-extensions", C, ALL, "G", "status", "apiextensions.k8s.io/customresourcedefinitions") \
	ROW("scheduling.k8s.io", "v1", PriorityClass, "priorityclasses", "pc", "", C, ALL, "G", "", "priorityclasses") \
	ROW("coordination.k8s.io", "v1", Lease, "leases", "", "", N, ALL, "", "", "leases") \
	ROW("node.k8s.io", "v1", RuntimeClass, "runtimeclasses", "", "", C, ALL, "", "", "runtimeclasses") \
	ROW("discovery.k8s.io", "v1", EndpointSlice, "endpointslices", "", "", N, ALL, "G", "", "endpointslices") \
	ROW("flowcontrol.apiserver.k8s.io", "v1", FlowSchema, "flowschemas", "", "", C, ALL, "G", "status", \
	        "flowschemas") \
	ROW("flowcontrol.apiserver.k8s.io", "v1", PriorityLevelConfiguration, "prioritylevelconfigurations", "", "", \
	        C, ALL, "G", "status", "prioritylevelconfigurations")

/* SUB(resource kind or "*", name, group, version, kind, verbs, is_connect); group "-" and kind "" mean the resource's
 * own. */
#define RESOURCE_SUB_ROWS \
	SUB("*", "status", "-", "", "", "gup", false) \
	SUB("*", "scale", "autoscaling", "v1", "Scale", "gup", false) \
	SUB("Pod", "attach", "", "v1", "PodAttachOptions", "cg", true) \
	SUB("Pod", "binding", "", "v1", "Binding", "c", false) \
	SUB("Pod", "ephemeralcontainers", "-", "", "", "gup", false) \
	SUB("Pod", "eviction", "policy", "v1", "Eviction", "c", false) \
	SUB("Pod", "exec", "", "v1", "PodExecOptions", "cg", true) \
	SUB("Pod", "log", "-", "", "", "g", true) \
	SUB("Pod", "portforward", "", "v1", "PodPortForwardOptions", "cg", true) \
	SUB("Pod", "proxy", "", "v1", "PodProxyOptions", "cdgpu", true) \
	SUB("Pod", "resize", "-", "", "", "gup", false) \
	SUB("Node", "proxy", "", "v1", "NodeProxyOptions", "cdgpu", true) \
	SUB("Service", "proxy", "", "v1", "ServiceProxyOptions", "cdgpu", true) \
	SUB("Namespace", "finalize", "-", "", "", "u", false) \
	SUB("ServiceAccount", "token", "authentication.k8s.io", "v1", "TokenRequest", "c", false) \
	SUB("CertificateSigningRequest", "approval", "-", "", "", "gup", false)

/* SEL(api version, kind, selector, path, second path, value when absent). Paths are those of the stored form. */
#define RESOURCE_SELECTOR_ROWS \
	SEL("v1", "Pod", "spec.nodeName", "spec.nodeName", NULL, "") \
	SEL("v1", "Pod", "spec.restartPolicy", "spec.restartPolicy", NULL, "") \
	SEL("v1", "Pod", "spec.schedulerName", "spec.schedulerName", NULL, "") \
	SEL("v1", "Pod", "spec.serviceAccountName", "spec.serviceAccountName", NULL, "") \
	SEL("v1", "Pod", "spec.hostNetwork", "spec.hostNetwork", NULL, "false") \
	SEL("v1", "Pod", "status.phase", "status.phase", NULL, "") \
	SEL("v1", "Pod", "status.podIP", "status.podIP", NULL, "") \
	SEL("v1", "Pod", "status.podIPs", "status.podIP", NULL, "") \
	SEL("v1", "Pod", "status.nominatedNodeName", "status.nominatedNodeName", NULL, "") \
	SEL("v1", "Node", "spec.unschedulable", "spec.unschedulable", NULL, "false") \
	SEL("v1", "ReplicationController", "status.replicas", "status.replicas", NULL, "0") \
	SEL("v1", "Event", "involvedObject.kind", "involvedObject.kind", NULL, "") \
	SEL("v1", "Event", "involvedObject.namespace", "involvedObject.namespace", NULL, "") \
	SEL("v1", "Event", "involvedObject.name", "involvedObject.name", NULL, "") \
	SEL("v1", "Event", "involvedObject.uid", "involvedObject.uid", NULL, "") \
	SEL("v1", "Event", "involvedObject.apiVersion", "involvedObject.apiVersion", NULL, "") \
	SEL("v1", "Event", "involvedObject.resourceVersion", "involvedObject.resourceVersion", NULL, "") \
	SEL("v1", "Event", "involvedObject.fieldPath", "involvedObject.fieldPath", NULL, "") \
	SEL("v1", "Event", "reason", "reason", NULL, "") \
	SEL("v1", "Event", "reportingComponent", "reportingComponent", NULL, "") \
	SEL("v1", "Event", "source", "source.component", "reportingComponent", "") \
	SEL("v1", "Event", "type", "type", NULL, "") \
	SEL("events.k8s.io/v1", "Event", "regarding.kind", "involvedObject.kind", NULL, "") \
	SEL("events.k8s.io/v1", "Event", "regarding.namespace", "involvedObject.namespace", NULL, "") \
	SEL("events.k8s.io/v1", "Event", "regarding.name", "involvedObject.name", NULL, "") \
	SEL("events.k8s.io/v1", "Event", "regarding.uid", "involvedObject.uid", NULL, "") \
	SEL("events.k8s.io/v1", "Event", "regarding.apiVersion", "involvedObject.apiVersion", NULL, "") \
	SEL("events.k8s.io/v1", "Event", "regarding.resourceVersion", "involvedObject.resourceVersion", NULL, "") \
	SEL("events.k8s.io/v1", "Event", "regarding.fieldPath", "involvedObject.fieldPath", NULL, "") \
	SEL("events.k8s.io/v1", "Event", "reason", "reason", NULL, "") \
	SEL("events.k8s.io/v1", "Event", "reportingController", "reportingComponent", NULL, "") \
	SEL("events.k8s.io/v1", "Event", "type", "type", NULL, "") \
	SEL("v1", "Namespace", "status.phase", "status.phase", NULL, "") \
	SEL("v1", "Secret", "type", "type", NULL, "") \
	SEL("v1", "Service", "spec.clusterIP", "spec.clusterIP", NULL, "") \
	SEL("v1", "Service", "spec.type", "spec.type", NULL, "") \
	SEL("certificates.k8s.io/v1", "CertificateSigningRequest", "spec.signerName", "spec.signerName", NULL, "") \
	SEL("batch/v1", "Job", "status.successful", "status.succeeded", NULL, "0") \
	SEL("apps/v1", "ReplicaSet", "status.replicas", "status.replicas", NULL, "0")

#endif
