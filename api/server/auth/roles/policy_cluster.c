/* Cluster roles that no controller has, and who is bound to them. See policy.h. */
#include "api/server/auth/roles/policy.h"

#include <string.h>

const struct policy_role policy_cluster_roles[] = {
        {.name = "cluster-admin", .rules = {{"*", "*", "*"}, {.verbs = "*", .urls = "*"}}},

        /* ---- for users, put together of the parts below ---- */
        {.name = "admin", .collects = "admin"},
        {.name = "edit", .aggregates = "admin", .collects = "edit"},
        {.name = "view", .aggregates = "edit", .collects = "view"},
        {.name = "system:aggregate-to-admin",
                .aggregates = "admin",
                .rules = {{"create", "authorization.k8s.io", "localsubjectaccessreviews"},
                        {POLICY_ALL, "rbac.authorization.k8s.io", "rolebindings,roles"}}},
        {.name = "system:aggregate-to-edit",
                .aggregates = "edit",
                .rules = {{POLICY_READ, "", "pods/attach,pods/exec,pods/portforward,pods/proxy,secrets,services/proxy"},
                        {"impersonate", "", "serviceaccounts"},
                        {POLICY_WRITE, "", "pods,pods/attach,pods/exec,pods/portforward,pods/proxy"},
                        {"create", "", "pods/eviction"},
                        {POLICY_WRITE, "",
                                "configmaps,events,persistentvolumeclaims,replicationcontrollers,"
                                "replicationcontrollers/scale,secrets,serviceaccounts,services,services/proxy"},
                        {"create", "", "serviceaccounts/token"},
                        {POLICY_WRITE, "apps",
                                "daemonsets,deployments,deployments/rollback,deployments/scale,replicasets,"
                                "replicasets/scale,statefulsets,statefulsets/scale"},
                        {POLICY_WRITE, "autoscaling", "horizontalpodautoscalers"},
                        {POLICY_WRITE, "batch", "cronjobs,jobs"},
                        {POLICY_WRITE, "extensions",
                                "daemonsets,deployments,deployments/rollback,deployments/scale,ingresses,"
                                "networkpolicies,replicasets,replicasets/scale,replicationcontrollers/scale"},
                        {POLICY_WRITE, "policy", "poddisruptionbudgets"},
                        {POLICY_WRITE, "networking.k8s.io", "ingresses,networkpolicies"},
                        {POLICY_ALL, "coordination.k8s.io", "leases"}}},
        {.name = "system:aggregate-to-view",
                .aggregates = "view",
                .rules = {{POLICY_READ, "",
                                  "configmaps,endpoints,persistentvolumeclaims,persistentvolumeclaims/status,pods,"
                                  "replicationcontrollers,replicationcontrollers/scale,serviceaccounts,services,"
                                  "services/status"},
                        {POLICY_READ, "",
                                "bindings,events,limitranges,namespaces/status,pods/log,pods/status,"
                                "replicationcontrollers/status,resourcequotas,resourcequotas/status"},
                        {POLICY_READ, "", "namespaces"}, {POLICY_READ, "discovery.k8s.io", "endpointslices"},
                        {POLICY_READ, "apps",
                                "controllerrevisions,daemonsets,daemonsets/status,deployments,deployments/scale,"
                                "deployments/status,replicasets,replicasets/scale,replicasets/status,statefulsets,"
                                "statefulsets/scale,statefulsets/status"},
                        {POLICY_READ, "autoscaling", "horizontalpodautoscalers,horizontalpodautoscalers/status"},
                        {POLICY_READ, "batch", "cronjobs,cronjobs/status,jobs,jobs/status"},
                        {POLICY_READ, "extensions",
                                "daemonsets,daemonsets/status,deployments,deployments/scale,deployments/status,"
                                "ingresses,ingresses/status,networkpolicies,replicasets,replicasets/scale,"
                                "replicasets/status,replicationcontrollers/scale"},
                        {POLICY_READ, "policy", "poddisruptionbudgets,poddisruptionbudgets/status"},
                        {POLICY_READ, "networking.k8s.io", "ingresses,ingresses/status,networkpolicies"}}},

        /* ---- what everybody may, or whoever is known ---- */
        {.name = "system:basic-user",
                .rules = {{"create", "authorization.k8s.io", "selfsubjectaccessreviews,selfsubjectrulesreviews"},
                        {"create", "authentication.k8s.io", "selfsubjectreviews"}}},
        {.name = "system:discovery",
                .rules = {{.verbs = "get",
                        .urls = "/api,/api/*,/apis,/apis/*,/healthz,/livez,/openapi,/openapi/*,/readyz,/version,"
                                "/version/"}}},
        {.name = "system:public-info-viewer",
                .rules = {{.verbs = "get", .urls = "/healthz,/livez,/readyz,/version,/version/"}}},
        {.name = "system:service-account-issuer-discovery",
                .rules = {{.verbs = "get", .urls = "/.well-known/openid-configuration,/openid/v1/jwks"}}},

        /* ---- for other API servers and those who watch ---- */
        {.name = "system:auth-delegator",
                .rules = {{"create", "authentication.k8s.io", "tokenreviews"},
                        {"create", "authorization.k8s.io", "subjectaccessreviews"}}},
        {.name = "system:heapster",
                .rules = {{POLICY_READ, "", "events,namespaces,nodes,pods"},
                        {POLICY_READ, "extensions", "deployments"}}},
        {.name = "system:kube-aggregator", .rules = {{POLICY_READ, "", "endpoints,services"}}},
        {.name = "system:monitoring",
                .rules = {{.verbs = "get",
                        .urls = "/healthz,/healthz/*,/livez,/livez/*,/metrics,/metrics/slis,/readyz,/readyz/*"}}},
        {.name = "system:kubelet-api-admin",
                .rules = {{POLICY_READ, "", "nodes"}, {"proxy", "", "nodes"},
                        {"*", "", "nodes/log,nodes/metrics,nodes/proxy,nodes/stats"}}},

        /* ---- components ---- */
        {.name = "system:kube-controller-manager",
                .rules = {POLICY_EVENTS, {"create", "coordination.k8s.io", "leases"},
                        {"get,update", "coordination.k8s.io", "leases", "kube-controller-manager"},
                        {"create", "", "secrets,serviceaccounts"}, {"delete", "", "secrets"},
                        {"get", "", "configmaps,namespaces,secrets,serviceaccounts"},
                        {"update", "", "secrets,serviceaccounts"}, {"create", "authentication.k8s.io", "tokenreviews"},
                        {"create", "authorization.k8s.io", "subjectaccessreviews"}, {"list,watch", "*", "*"},
                        {"create", "", "serviceaccounts/token"}}},
        {.name = "system:kube-dns", .rules = {{"list,watch", "", "endpoints,services"}}},
        {.name = "system:kube-scheduler",
                .rules = {POLICY_EVENTS, {"create", "coordination.k8s.io", "leases"},
                        {"get,update", "coordination.k8s.io", "leases", "kube-scheduler"}, {POLICY_READ, "", "nodes"},
                        {"delete,get,list,watch", "", "pods"}, {"create", "", "bindings,pods/binding"},
                        {"patch,update", "", "pods/status"}, {POLICY_READ, "", "replicationcontrollers,services"},
                        {POLICY_READ, "apps,extensions", "replicasets"}, {POLICY_READ, "apps", "statefulsets"},
                        {POLICY_READ, "policy", "poddisruptionbudgets"},
                        {POLICY_READ, "", "persistentvolumeclaims,persistentvolumes"},
                        {"create", "authentication.k8s.io", "tokenreviews"},
                        {"create", "authorization.k8s.io", "subjectaccessreviews"},
                        {POLICY_READ, "storage.k8s.io", "csinodes"}, {POLICY_READ, "", "namespaces"},
                        {POLICY_READ, "storage.k8s.io", "csidrivers"},
                        {POLICY_READ, "storage.k8s.io", "csistoragecapacities"}}},
        {.name = "system:volume-scheduler",
                .rules = {{"get,list,patch,update,watch", "", "persistentvolumes"},
                        {POLICY_READ, "storage.k8s.io", "storageclasses"},
                        {"get,list,patch,update,watch", "", "persistentvolumeclaims"}}},
        {.name = "system:persistent-volume-provisioner",
                .rules = {{"create,delete,get,list,watch", "", "persistentvolumes"},
                        {"get,list,update,watch", "", "persistentvolumeclaims"},
                        {POLICY_READ, "storage.k8s.io", "storageclasses"}, {"watch", "", "events"}, POLICY_EVENTS}},

        /* ---- nodes: what is not said here to which objects a node may do this, the Node authorizer says ---- */
        {.name = "system:node",
                .rules = {{"create", "authentication.k8s.io", "tokenreviews"},
                        {"create", "authorization.k8s.io", "localsubjectaccessreviews,subjectaccessreviews"},
                        {POLICY_READ, "", "services"}, {"create,get,list,watch", "", "nodes"},
                        {"patch,update", "", "nodes/status"}, {"patch,update", "", "nodes"},
                        {"create,patch,update", "", "events"}, {POLICY_READ, "", "pods"}, {"create,delete", "", "pods"},
                        {"patch,update", "", "pods/status"}, {"create", "", "pods/eviction"},
                        {POLICY_READ, "", "configmaps,secrets"},
                        {"get", "", "persistentvolumeclaims,persistentvolumes"}, {"get", "", "endpoints"},
                        {"create,get,list,watch", "certificates.k8s.io", "certificatesigningrequests"},
                        {"create,delete,get,patch,update", "coordination.k8s.io", "leases"},
                        {"get", "storage.k8s.io", "volumeattachments"}, {"create", "", "serviceaccounts/token"},
                        {"get,patch,update", "", "persistentvolumeclaims/status"},
                        {POLICY_READ, "storage.k8s.io", "csidrivers"},
                        {"create,delete,get,patch,update", "storage.k8s.io", "csinodes"},
                        {POLICY_READ, "node.k8s.io", "runtimeclasses"}}},
        {.name = "system:node-bootstrapper",
                .rules = {{"create,get,list,watch", "certificates.k8s.io", "certificatesigningrequests"}}},
        {.name = "system:node-problem-detector",
                .rules = {{"get", "", "nodes"}, {"patch", "", "nodes/status"}, POLICY_EVENTS}},
        {.name = "system:node-proxier",
                .rules = {{"list,watch", "", "endpoints,services"}, {POLICY_READ, "", "nodes"}, POLICY_EVENTS,
                        {"list,watch", "discovery.k8s.io", "endpointslices"}}},

        /* network policies of a node, which its service proxy's identity follows, too */
        {.name = "system:k3x-network-policy",
                .rules = {{"list,watch", "", "namespaces,pods"},
                        {"list,watch", "networking.k8s.io", "networkpolicies"}}},

        /* ---- certificates ---- */
        {.name = "system:certificates.k8s.io:certificatesigningrequests:nodeclient",
                .rules = {{"create", "certificates.k8s.io", "certificatesigningrequests/nodeclient"}}},
        {.name = "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient",
                .rules = {{"create", "certificates.k8s.io", "certificatesigningrequests/selfnodeclient"}}},
        {.name = "system:certificates.k8s.io:kube-apiserver-client-approver",
                .rules = {{"approve", "certificates.k8s.io", "signers", "kubernetes.io/kube-apiserver-client"}}},
        {.name = "system:certificates.k8s.io:kube-apiserver-client-kubelet-approver",
                .rules = {{"approve", "certificates.k8s.io", "signers",
                        "kubernetes.io/kube-apiserver-client-kubelet"}}},
        {.name = "system:certificates.k8s.io:kubelet-serving-approver",
                .rules = {{"approve", "certificates.k8s.io", "signers", "kubernetes.io/kubelet-serving"}}},
        {.name = "system:certificates.k8s.io:legacy-unknown-approver",
                .rules = {{"approve", "certificates.k8s.io", "signers", "kubernetes.io/legacy-unknown"}}},
        {0},
};

const struct policy_binding policy_cluster_bindings[] = {
        {"cluster-admin", NULL, "cluster-admin", "Group:system:masters"},
        {"system:monitoring", NULL, "system:monitoring", "Group:system:monitoring"},
        {"system:discovery", NULL, "system:discovery", "Group:system:authenticated"},
        {"system:basic-user", NULL, "system:basic-user", "Group:system:authenticated"},
        {"system:public-info-viewer", NULL, "system:public-info-viewer",
                "Group:system:authenticated,Group:system:unauthenticated"},
        {"system:node-proxier", NULL, "system:node-proxier", "User:system:kube-proxy"},
        {"system:k3x-network-policy", NULL, "system:k3x-network-policy", "User:system:kube-proxy"},
        {"system:kube-controller-manager", NULL, "system:kube-controller-manager",
                "User:system:kube-controller-manager"},
        {"system:kube-dns", NULL, "system:kube-dns", "ServiceAccount:kube-system/kube-dns"},
        {"system:kube-scheduler", NULL, "system:kube-scheduler", "User:system:kube-scheduler"},
        {"system:volume-scheduler", NULL, "system:volume-scheduler", "User:system:kube-scheduler"},
        {"system:node", NULL, "system:node", ""}, /* the Node authorizer does it */
        {"system:service-account-issuer-discovery", NULL, "system:service-account-issuer-discovery",
                "Group:system:serviceaccounts"},
        /* as k3s has it: the API server towards kubelets */
        {"kube-apiserver-kubelet-admin", NULL, "system:kubelet-api-admin", "User:kube-apiserver"},
        {0},
};

const struct policy_role *policy_find(const char *name)
{
	for (const struct policy_role *r = policy_cluster_roles; r->name; r++)
		if (strcmp(r->name, name) == 0)
			return r;
	return NULL;
}
