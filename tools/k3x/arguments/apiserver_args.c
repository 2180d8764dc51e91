/* See apiserver_args.h. */
#include "tools/k3x/arguments/apiserver_args.h"

#include "base/check.h"
#include "tools/k3x/arguments/arguments.h"

#include <stddef.h>

#define ROW(name, read, member, want) \
	{ \
		name, read, offsetof(struct api_arguments, member), want \
	}
#define TEXT(name, member) ROW(name, argument_text, member, "a text")
#define LIST(name, member) ROW(name, argument_list, member, "a list with commas between")
#define BOOL(name, member) ROW(name, argument_bool, member, "true or false")
#define INT(name, member) ROW(name, argument_int, member, "a whole number")
#define SPAN(name, member) ROW(name, argument_ms, member, "a span of time like 30s or 2m")

static const struct argument rows[] = {
        TEXT("audit-policy-file", audit.policy_file),
        TEXT("audit-webhook-config-file", audit.webhook_config_file),
        SPAN("audit-webhook-initial-backoff", audit.webhook_backoff_ms),
        INT("audit-webhook-batch-buffer-size", audit.webhook_buffer_size),
        INT("audit-webhook-batch-max-size", audit.webhook_max_size),
        SPAN("audit-webhook-batch-max-wait", audit.webhook_max_wait_ms),
        BOOL("audit-webhook-batch-throttle-enable", audit.webhook_throttles),
        INT("audit-webhook-batch-throttle-qps", audit.webhook_throttle_qps),
        INT("audit-webhook-batch-throttle-burst", audit.webhook_throttle_burst),
        TEXT("audit-log-path", audit.log_path),
        INT("audit-log-maxsize", audit.log_max_size_mb),
        INT("audit-log-maxbackup", audit.log_max_backup),
        INT("audit-log-maxage", audit.log_max_age_days),
        BOOL("audit-log-compress", audit.log_compress),
        TEXT("audit-log-format", audit.log_format),
        BOOL("audit-log-truncate-enabled", audit.log_truncates),
        INT("audit-log-truncate-max-event-size", audit.log_event_bytes_max),
        TEXT("encryption-provider-config", encryption_config),
        BOOL("encryption-provider-config-automatic-reload", encryption_reloads),
        INT("max-requests-inflight", inflight_max),
        INT("max-mutating-requests-inflight", mutating_inflight_max),
        TEXT("tls-min-version", tls_min_version),
        TEXT("tls-cipher-suites", tls_cipher_suites),
        TEXT("oidc-issuer-url", oidc.issuer_url),
        TEXT("oidc-client-id", oidc.client_id),
        TEXT("oidc-ca-file", oidc.ca_file),
        TEXT("oidc-username-claim", oidc.username_claim),
        TEXT("oidc-username-prefix", oidc.username_prefix),
        TEXT("oidc-groups-claim", oidc.groups_claim),
        TEXT("oidc-groups-prefix", oidc.groups_prefix),
        LIST("oidc-required-claim", oidc.required_claims),
        LIST("oidc-signing-algs", oidc.signing_algs),
        TEXT("authentication-token-webhook-config-file", token_webhook.config_file),
        TEXT("authentication-token-webhook-version", token_webhook.version),
        SPAN("authentication-token-webhook-cache-ttl", token_webhook.cache_ttl_ms),
        TEXT("requestheader-client-ca-file", front_proxy.ca_file),
        LIST("requestheader-allowed-names", front_proxy.allowed_names),
        LIST("requestheader-username-headers", front_proxy.username_headers),
        LIST("requestheader-group-headers", front_proxy.group_headers),
        LIST("requestheader-uid-headers", front_proxy.uid_headers),
        LIST("requestheader-extra-headers-prefix", front_proxy.extra_prefixes),
        TEXT("token-auth-file", token_file),
        LIST("service-account-issuer", service_accounts.issuers),
        TEXT("service-account-jwks-uri", service_accounts.jwks_uri),
        SPAN("service-account-max-token-expiration", service_accounts.max_expiration_ms),
        BOOL("service-account-extend-token-expiration", service_accounts.extend_expiration),
        TEXT("authentication-config", authentication_config),
        TEXT("authorization-config", authorization.config_file),
        LIST("authorization-mode", authorization.modes),
        TEXT("authorization-webhook-config-file", authorization.webhook_config_file),
        TEXT("authorization-webhook-version", authorization.webhook_version),
        SPAN("authorization-webhook-cache-authorized-ttl", authorization.authorized_ttl_ms),
        SPAN("authorization-webhook-cache-unauthorized-ttl", authorization.unauthorized_ttl_ms),
        LIST("enable-admission-plugins", admission.enable),
        LIST("disable-admission-plugins", admission.disable),
        TEXT("admission-control-config-file", admission.config_file),
        INT("default-not-ready-toleration-seconds", admission.not_ready_toleration_s),
        INT("default-unreachable-toleration-seconds", admission.unreachable_toleration_s),
        LIST("feature-gates", feature_gates),
        LIST("api-audiences", service_accounts.audiences),
};

static const struct argument_fixed fixed[] = {
        {"allow-privileged", "true", "what pods may is PodSecurity's to say"},
        {"anonymous-auth", "false", "who proves nothing gets what is open to all, and nothing else"},
        {"audit-log-mode", "batch", "no request waits for the disk"},
        {"audit-webhook-mode", "batch", "no request waits for the webhook"},
        {"audit-webhook-version", "audit.k8s.io/v1", "there is one"},
        {"audit-log-version", "audit.k8s.io/v1", "there is one"},
        {"enable-bootstrap-token-auth", "true", "nodes join by it"},
        {"enable-garbage-collector", "true", "what has lost its owner is collected always"},
        {"enable-priority-and-fairness", "true", "a flood of one user would be everybody's"},
        {"http2-max-streams-per-connection", "250", "it is a limit of the server"},
        {"profiling", "false", "there is no profiler in the server"},
        {"service-account-lookup", "true", "a token dies with its service account"},
        {"storage-backend", "etcd3", "keys and values are etcd's"},
        {"storage-media-type", "application/json", "objects are stored as JSON"},
};

#define OF_SERVER "the server makes and renews it: see server/tls in --data-dir"

static const struct argument_elsewhere elsewhere[] = {
        {"advertise-address", "use --advertise-address"},
        {"bind-address", "use --bind-address"},
        {"secure-port", "use --https-listen-port"},
        {"service-cluster-ip-range", "use --service-cidr"},
        {"service-node-port-range", "use --service-node-port-range"},
        {"etcd-servers", "use --datastore-endpoint"},
        {"v", "use --debug"},
        {"client-ca-file", OF_SERVER},
        {"tls-cert-file", OF_SERVER},
        {"tls-private-key-file", OF_SERVER},
        {"cert-dir", OF_SERVER},
        {"kubelet-certificate-authority", OF_SERVER},
        {"kubelet-client-certificate", OF_SERVER},
        {"kubelet-client-key", OF_SERVER},
        {"service-account-signing-key-file", OF_SERVER},
        {"service-account-key-file", OF_SERVER},
};

static const struct arguments table = {.flag = "--kube-apiserver-arg",
        .documents = "docs/security.md",
        .rows = rows,
        .n_rows = COUNT_OF(rows),
        .fixed = fixed,
        .n_fixed = COUNT_OF(fixed),
        .elsewhere = elsewhere,
        .n_elsewhere = COUNT_OF(elsewhere)};

/* The gates that can be chosen; of all others what is built is on, and what is alpha in 1.32 is not offered. */
static int take_gates(struct api_arguments *args, struct err *err)
{
	for (size_t i = 0; i < args->feature_gates.count; i++) {
		struct slice value = slice_of(args->feature_gates.items[i]), name = slice_cut(&value, '=');
		bool is_on = slice_is(value, "true");
		if (!is_on && !slice_is(value, "false"))
			return err_set(err, ERR_INVAL,
			        "--kube-apiserver-arg: feature-gates: %.*s needs =true or =false", SLICE_FMT(name));
		if (slice_is(name, "InPlacePodVerticalScaling"))
			args->has_pod_resize = is_on;
		else
			return err_set(err, ERR_UNIMPLEMENTED,
			        "--kube-apiserver-arg: feature-gates: %.*s cannot be chosen: what is built is on, what "
			        "is "
			        "alpha in 1.32 is not offered but InPlacePodVerticalScaling",
			        SLICE_FMT(name));
	}
	return 0;
}

/* Whether anything was said of a group whose members have defaults. */
static bool names_any(const struct flag_list *given, const char *prefix)
{
	struct slice value;
	for (size_t i = 0; i < given->count; i++)
		if (slice_starts(flag_argument_cut(given->items[i], &value), prefix))
			return true;
	return false;
}

int apiserver_args_load(const struct flag_list *given, struct arena *a, struct api_arguments *ret, struct err *err)
{
	struct api_arguments args = API_ARGUMENTS_INIT;
	if (arguments_load(&table, given, a, &args, err) != 0 || take_gates(&args, err) != 0)
		return err->code;
	args.oidc_is_set = names_any(given, "oidc-");
	args.authorization.webhook_is_set = names_any(given, "authorization-webhook-");
	*ret = args;
	return 0;
}
