/* Roles of kube-system and kube-public, and who is bound to them. See policy.h. */
#include "api/server/auth/roles/policy.h"

#define LOCKING \
	{ \
		"create,get,list,update,watch", "coordination.k8s.io", "leases" \
	}

const struct policy_role policy_roles[] = {
        {.name = "extension-apiserver-authentication-reader",
                .ns = "kube-system",
                .rules = {{POLICY_READ, "", "configmaps", "extension-apiserver-authentication"}}},
        {.name = "system::leader-locking-kube-controller-manager", .ns = "kube-system", .rules = {LOCKING}},
        {.name = "system::leader-locking-kube-scheduler", .ns = "kube-system", .rules = {LOCKING}},
        {.name = "system:controller:bootstrap-signer", .ns = "kube-system", .rules = {{POLICY_READ, "", "secrets"}}},
        {.name = "system:controller:cloud-provider",
                .ns = "kube-system",
                .rules = {{"create,get,list,watch", "", "configmaps"}}},
        {.name = "system:controller:token-cleaner",
                .ns = "kube-system",
                .rules = {{"delete,get,list,watch", "", "secrets"}, POLICY_EVENTS}},
        {.name = "system:controller:node-password-cleaner",
                .ns = "kube-system",
                .rules = {{"delete,list,watch", "", "secrets"}}},
        {.name = "system:controller:bootstrap-signer",
                .ns = "kube-public",
                .rules = {{POLICY_READ, "", "configmaps"}, {"update", "", "configmaps", "cluster-info"},
                        POLICY_EVENTS}},
        {0},
};

const struct policy_binding policy_bindings[] = {
        {"system::extension-apiserver-authentication-reader", "kube-system",
                "extension-apiserver-authentication-reader",
                "User:system:kube-controller-manager,User:system:kube-scheduler"},
        {"system::leader-locking-kube-controller-manager", "kube-system",
                "system::leader-locking-kube-controller-manager",
                "User:system:kube-controller-manager,ServiceAccount:kube-system/kube-controller-manager"},
        {"system::leader-locking-kube-scheduler", "kube-system", "system::leader-locking-kube-scheduler",
                "User:system:kube-scheduler,ServiceAccount:kube-system/kube-scheduler"},
        {"system:controller:bootstrap-signer", "kube-system", "system:controller:bootstrap-signer",
                "ServiceAccount:kube-system/bootstrap-signer"},
        {"system:controller:cloud-provider", "kube-system", "system:controller:cloud-provider",
                "ServiceAccount:kube-system/cloud-provider"},
        {"system:controller:token-cleaner", "kube-system", "system:controller:token-cleaner",
                "ServiceAccount:kube-system/token-cleaner"},
        {"system:controller:node-password-cleaner", "kube-system", "system:controller:node-password-cleaner",
                "ServiceAccount:kube-system/node-password-cleaner"},
        {"system:controller:bootstrap-signer", "kube-public", "system:controller:bootstrap-signer",
                "ServiceAccount:kube-system/bootstrap-signer"},
        {0},
};
