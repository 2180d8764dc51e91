/* What an operator says to the API server beyond k3x's own flags: kube-apiserver's arguments by their meaning, as
 * `--kube-apiserver-arg=NAME=VALUE` gives them (tools/k3x/arguments/apiserver_args.h reads them: a row there for a
 * member here).
 *
 * A room that takes such settings looks at its own part and checks it when the server is made, so that a mistake is
 * told at the start. Nothing of it changes while the server runs. Texts are borrowed: they live as long as the process.
 */
#ifndef K3X_API_SERVER_ARGUMENTS_H
#define K3X_API_SERVER_ARGUMENTS_H

#include "api/server/audit/options.h"
#include "base/flags.h"

/* Tokens of an OpenID Connect issuer; issuer_url NULL: there is none. */
struct api_oidc_arguments {
	const char *issuer_url, *client_id, *ca_file;
	const char *username_claim, *username_prefix; /* "sub"; NULL: see oidc_claims.h */
	const char *groups_claim, *groups_prefix;
	struct flag_list required_claims; /* NAME=VALUE */
	struct flag_list signing_algs;    /* none: RS256 */
};

/* Proxies in front of the server, who say in headers for whom they ask; ca_file NULL: there are none. */
struct api_front_proxy_arguments {
	const char *ca_file;            /* vouches for their certificates */
	struct flag_list allowed_names; /* their common names; none: any */
	struct flag_list username_headers, group_headers, uid_headers, extra_prefixes;
};

/* Webhooks are named by kubeconfig files; NULL: there is none. */
struct api_token_webhook_arguments {
	const char *config_file, *version; /* "v1beta1" or "v1" */
	uint64_t cache_ttl_ms;
};

struct api_service_account_arguments {
	struct flag_list issuers;   /* the first signs, all are taken; none: the cluster's own */
	struct flag_list audiences; /* of the API; none: the issuers and "k3x" */
	const char *jwks_uri;       /* for discovery; NULL: this server's */
	uint64_t max_expiration_ms; /* 0: no more than the API's own limit */
	bool extend_expiration;     /* tokens that the kubelet mounts live for a year, and warn before */
};

struct api_authorization_arguments {
	struct flag_list modes;                            /* none: Node, RBAC */
	const char *webhook_config_file, *webhook_version; /* "v1beta1" or "v1" */
	uint64_t authorized_ttl_ms, unauthorized_ttl_ms;
	const char *config_file; /* an AuthorizationConfiguration, instead of all of these; NULL: none */
	bool webhook_is_set;     /* one of authorization-webhook-... was given */
};

struct api_admission_arguments {
	struct flag_list enable, disable;                         /* plugins, beside those that are on by default */
	const char *config_file;                                  /* an AdmissionConfiguration; NULL: none */
	int64_t not_ready_toleration_s, unreachable_toleration_s; /* DefaultTolerationSeconds */
};

struct api_arguments {
	struct api_oidc_arguments oidc;
	const char *authentication_config; /* an AuthenticationConfiguration, instead of oidc; NULL: none */
	bool oidc_is_set;                  /* one of oidc-... was given */
	struct api_token_webhook_arguments token_webhook;
	const char *token_file; /* static tokens; NULL: none */
	struct api_front_proxy_arguments front_proxy;
	struct api_service_account_arguments service_accounts;
	struct api_authorization_arguments authorization;
	struct api_admission_arguments admission;
	/* of TLS; NULL: --tls-min-version and --tls-cipher-suites, or their defaults */
	const char *tls_min_version, *tls_cipher_suites;
	struct audit_options audit;
	int64_t inflight_max, mutating_inflight_max; /* together: the seats of fairness/ */
	const char *encryption_config;               /* --encryption-provider-config */
	bool encryption_reloads;                     /* its file is looked at now and then */
	struct flag_list feature_gates;              /* NAME=true or false, of those that can be chosen */
	bool has_pod_resize;                         /* InPlacePodVerticalScaling is among them, and on */
};

/* What holds when nothing was said. */
/* clang-format off */
#define API_ARGUMENTS_INIT { \
	.oidc = {.username_claim = "sub"}, \
	.token_webhook = {.version = "v1beta1", .cache_ttl_ms = 120000}, \
	.authorization = {.webhook_version = "v1beta1", .authorized_ttl_ms = 300000, .unauthorized_ttl_ms = 30000}, \
	.admission = {.not_ready_toleration_s = 300, .unreachable_toleration_s = 300}, \
	.service_accounts = {.extend_expiration = true}, \
	.audit = AUDIT_OPTIONS_INIT, \
	.inflight_max = 400, \
	.mutating_inflight_max = 200, \
}
/* clang-format on */

#endif
