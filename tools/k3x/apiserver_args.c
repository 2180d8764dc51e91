/* See apiserver_args.h. Three kinds of rows:
 *
 *   rows      what can be set: type, and the member of struct api_arguments that it fills.
 *   fixed     what has one value here. Who says that value says what is so anyway, and is believed; all else is refused
 *             with the reason.
 *   elsewhere what a flag of k3x says, or what the server keeps by itself.
 *
 * A name that is in none of them is refused, with the known one that it most looks like: an argument that is accepted
 * and does nothing would be a policy that its author believes in. */
#include "tools/k3x/apiserver_args.h"

#include "base/check.h"
#include "base/duration.h"

#include <stddef.h>

enum arg_type { ARG_STRING, ARG_LIST, ARG_BOOL, ARG_INT, ARG_DURATION_MS };

struct arg_row {
	const char *name;
	enum arg_type type;
	size_t at; /* of const char *, struct flag_list, bool, int64_t, uint64_t */
};

#define ROW(name, type, member) \
	{ \
		name, type, offsetof(struct api_arguments, member) \
	}

static const struct arg_row rows[] = {
        ROW("audit-policy-file", ARG_STRING, audit.policy_file),
        ROW("audit-webhook-config-file", ARG_STRING, audit.webhook_config_file),
        ROW("audit-webhook-initial-backoff", ARG_DURATION_MS, audit.webhook_backoff_ms),
        ROW("audit-webhook-batch-buffer-size", ARG_INT, audit.webhook_buffer_size),
        ROW("audit-webhook-batch-max-size", ARG_INT, audit.webhook_max_size),
        ROW("audit-webhook-batch-max-wait", ARG_DURATION_MS, audit.webhook_max_wait_ms),
        ROW("audit-webhook-batch-throttle-enable", ARG_BOOL, audit.webhook_throttles),
        ROW("audit-webhook-batch-throttle-qps", ARG_INT, audit.webhook_throttle_qps),
        ROW("audit-webhook-batch-throttle-burst", ARG_INT, audit.webhook_throttle_burst),
        ROW("audit-log-path", ARG_STRING, audit.log_path),
        ROW("audit-log-maxsize", ARG_INT, audit.log_max_size_mb),
        ROW("audit-log-maxbackup", ARG_INT, audit.log_max_backup),
        ROW("audit-log-maxage", ARG_INT, audit.log_max_age_days),
        ROW("audit-log-compress", ARG_BOOL, audit.log_compress),
        ROW("audit-log-format", ARG_STRING, audit.log_format),
        ROW("audit-log-truncate-enabled", ARG_BOOL, audit.log_truncates),
        ROW("audit-log-truncate-max-event-size", ARG_INT, audit.log_event_bytes_max),
        ROW("encryption-provider-config", ARG_STRING, encryption_config),
        ROW("encryption-provider-config-automatic-reload", ARG_BOOL, encryption_reloads),
        ROW("max-requests-inflight", ARG_INT, inflight_max),
        ROW("max-mutating-requests-inflight", ARG_INT, mutating_inflight_max),
        ROW("tls-min-version", ARG_STRING, tls_min_version),
        ROW("tls-cipher-suites", ARG_STRING, tls_cipher_suites),
        ROW("oidc-issuer-url", ARG_STRING, oidc.issuer_url),
        ROW("oidc-client-id", ARG_STRING, oidc.client_id),
        ROW("oidc-ca-file", ARG_STRING, oidc.ca_file),
        ROW("oidc-username-claim", ARG_STRING, oidc.username_claim),
        ROW("oidc-username-prefix", ARG_STRING, oidc.username_prefix),
        ROW("oidc-groups-claim", ARG_STRING, oidc.groups_claim),
        ROW("oidc-groups-prefix", ARG_STRING, oidc.groups_prefix),
        ROW("oidc-required-claim", ARG_LIST, oidc.required_claims),
        ROW("oidc-signing-algs", ARG_LIST, oidc.signing_algs),
        ROW("authentication-token-webhook-config-file", ARG_STRING, token_webhook.config_file),
        ROW("authentication-token-webhook-version", ARG_STRING, token_webhook.version),
        ROW("authentication-token-webhook-cache-ttl", ARG_DURATION_MS, token_webhook.cache_ttl_ms),
        ROW("requestheader-client-ca-file", ARG_STRING, front_proxy.ca_file),
        ROW("requestheader-allowed-names", ARG_LIST, front_proxy.allowed_names),
        ROW("requestheader-username-headers", ARG_LIST, front_proxy.username_headers),
        ROW("requestheader-group-headers", ARG_LIST, front_proxy.group_headers),
        ROW("requestheader-uid-headers", ARG_LIST, front_proxy.uid_headers),
        ROW("requestheader-extra-headers-prefix", ARG_LIST, front_proxy.extra_prefixes),
        ROW("token-auth-file", ARG_STRING, token_file),
        ROW("service-account-issuer", ARG_LIST, service_accounts.issuers),
        ROW("service-account-jwks-uri", ARG_STRING, service_accounts.jwks_uri),
        ROW("service-account-max-token-expiration", ARG_DURATION_MS, service_accounts.max_expiration_ms),
        ROW("service-account-extend-token-expiration", ARG_BOOL, service_accounts.extend_expiration),
        ROW("authentication-config", ARG_STRING, authentication_config),
        ROW("authorization-config", ARG_STRING, authorization.config_file),
        ROW("authorization-mode", ARG_LIST, authorization.modes),
        ROW("authorization-webhook-config-file", ARG_STRING, authorization.webhook_config_file),
        ROW("authorization-webhook-version", ARG_STRING, authorization.webhook_version),
        ROW("authorization-webhook-cache-authorized-ttl", ARG_DURATION_MS, authorization.authorized_ttl_ms),
        ROW("authorization-webhook-cache-unauthorized-ttl", ARG_DURATION_MS, authorization.unauthorized_ttl_ms),
        ROW("enable-admission-plugins", ARG_LIST, admission.enable),
        ROW("disable-admission-plugins", ARG_LIST, admission.disable),
        ROW("admission-control-config-file", ARG_STRING, admission.config_file),
        ROW("default-not-ready-toleration-seconds", ARG_INT, admission.not_ready_toleration_s),
        ROW("default-unreachable-toleration-seconds", ARG_INT, admission.unreachable_toleration_s),
        ROW("feature-gates", ARG_LIST, feature_gates),
        ROW("api-audiences", ARG_LIST, service_accounts.audiences),
};

static const struct {
	const char *name, *value, *why;
} fixed[] = {
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

static const struct {
	const char *name, *instead;
} elsewhere[] = {
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

/* ---- names ---- */

enum { NAME_BYTES_MAX = 63 };

/* Letters to add, drop or exchange (Levenshtein). */
static unsigned distance(struct slice a, struct slice b)
{
	unsigned row[NAME_BYTES_MAX + 1];
	for (unsigned j = 0; j <= b.len; j++)
		row[j] = j;
	for (unsigned i = 1; i <= a.len; i++) {
		unsigned diagonal = row[0];
		row[0] = i;
		for (unsigned j = 1; j <= b.len; j++) {
			unsigned best = diagonal + (a.ptr[i - 1] != b.ptr[j - 1]);
			diagonal = row[j];
			best = best < row[j] + 1 ? best : row[j] + 1;
			row[j] = best < row[j - 1] + 1 ? best : row[j - 1] + 1;
		}
	}
	return row[b.len];
}

static void look_at(struct slice name, const char *known, const char **nearest, unsigned *best)
{
	unsigned d = distance(name, slice_of(known));
	if (d < *best) {
		*best = d;
		*nearest = known;
	}
}

static int unknown(struct slice name, struct err *err)
{
	const char *nearest = NULL;
	unsigned best = 6;
	if (name.len <= NAME_BYTES_MAX) {
		for (size_t i = 0; i < COUNT_OF(rows); i++)
			look_at(name, rows[i].name, &nearest, &best);
		for (size_t i = 0; i < COUNT_OF(fixed); i++)
			look_at(name, fixed[i].name, &nearest, &best);
	}
	return err_set(err, ERR_INVAL,
	        "--kube-apiserver-arg: \"%.*s\" is not an argument that k3x knows%s%s%s (docs/security.md lists them)",
	        SLICE_FMT(name), nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "");
}

static int not_settable(struct slice name, struct slice value, struct err *err)
{
	for (size_t i = 0; i < COUNT_OF(fixed); i++) {
		if (!slice_is(name, fixed[i].name))
			continue;
		if (slice_is(value, fixed[i].value) || (!value.ptr && strcmp(fixed[i].value, "true") == 0))
			return 0;
		return err_set(err, ERR_UNIMPLEMENTED, "--kube-apiserver-arg: %s can only be \"%s\": %s", fixed[i].name,
		        fixed[i].value, fixed[i].why);
	}
	for (size_t i = 0; i < COUNT_OF(elsewhere); i++)
		if (slice_is(name, elsewhere[i].name))
			return err_set(err, ERR_UNIMPLEMENTED, "--kube-apiserver-arg: %s cannot be set here: %s",
			        elsewhere[i].name, elsewhere[i].instead);
	return unknown(name, err);
}

/* ---- values ---- */

static int bad(const struct arg_row *row, struct slice value, const char *want, struct err *err)
{
	return err_set(
	        err, ERR_INVAL, "--kube-apiserver-arg: %s: \"%.*s\" is not %s", row->name, SLICE_FMT(value), want);
}

static void add_items(struct arena *a, struct flag_list *list, struct slice value)
{
	while (value.ptr) {
		struct slice item = slice_trim(slice_cut(&value, ','));
		if (!item.len)
			continue;
		const char **more = ARENA_ARRAY(a, const char *, list->count + 1);
		if (list->count)
			memcpy(more, list->items, list->count * sizeof *more);
		more[list->count++] = arena_memdup(a, item.ptr, item.len);
		list->items = more;
	}
}

static int set(const struct arg_row *row, struct arena *a, void *to, struct slice value, struct err *err)
{
	const char *text = value.ptr ? arena_memdup(a, value.ptr, value.len) : NULL;
	bool *flag = to;
	if (!text && row->type != ARG_BOOL)
		return err_set(
		        err, ERR_INVAL, "--kube-apiserver-arg: %s needs a value: %s=VALUE", row->name, row->name);
	switch (row->type) {
	case ARG_STRING:
		*(const char **)to = text;
		return 0;
	case ARG_LIST:
		add_items(a, to, value);
		return 0;
	case ARG_BOOL:
		*flag = !text || strcmp(text, "true") == 0;
		return *flag || strcmp(text, "false") == 0 ? 0 : bad(row, value, "true or false", err);
	case ARG_INT:
		return slice_to_i64(value, to) ? 0 : bad(row, value, "a whole number", err);
	case ARG_DURATION_MS:
		if (strcmp(text, "0") == 0) {
			*(uint64_t *)to = 0;
			return 0;
		}
		return duration_parse_ms(text, to) ? 0 : bad(row, value, "a span of time like 30s or 2m", err);
	}
	return 0;
}

static int take(struct slice text, struct arena *a, struct api_arguments *args, struct err *err)
{
	while (slice_starts(text, "-"))
		text = (struct slice){text.ptr + 1, text.len - 1};
	struct slice value = text, name = slice_cut(&value, '=');
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (slice_is(name, rows[i].name)) {
			args->oidc_is_set |= slice_starts(name, "oidc-");
			args->authorization.webhook_is_set |= slice_starts(name, "authorization-webhook-");
			return set(&rows[i], a, (char *)args + rows[i].at, value, err);
		}
	return not_settable(name, value, err);
}

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

int apiserver_args_load(const struct flag_list *given, struct arena *a, struct api_arguments *ret, struct err *err)
{
	struct api_arguments args = API_ARGUMENTS_INIT;
	for (size_t i = 0; i < given->count; i++)
		if (take(slice_of(given->items[i]), a, &args, err) != 0)
			return err->code;
	if (take_gates(&args, err) != 0)
		return err->code;
	*ret = args;
	return 0;
}
