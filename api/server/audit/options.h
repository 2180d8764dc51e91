/* What an audit is told when it is made: kube-apiserver's --audit-* arguments (arguments.h). Zeroed but for what
 * AUDIT_OPTIONS_INIT sets: nothing is audited. */
#ifndef K3X_API_SERVER_AUDIT_OPTIONS_H
#define K3X_API_SERVER_AUDIT_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

struct audit_options {
	const char *policy_file;
	/* the log */
	const char *log_path;     /* "-": standard output */
	int64_t log_max_size_mb;  /* 0: 100 */
	int64_t log_max_backup;   /* 0: all are kept */
	int64_t log_max_age_days; /* 0: for ever */
	bool log_compress;
	const char *log_format; /* "json", "legacy" */
	bool log_truncates;     /* objects of events larger than: */
	int64_t log_event_bytes_max;
	/* the webhook */
	const char *webhook_config_file; /* a kubeconfig; NULL: there is none */
	uint64_t webhook_backoff_ms;     /* before it is tried again the first time */
	int64_t webhook_buffer_size;     /* events that wait */
	int64_t webhook_max_size;        /* of a batch */
	uint64_t webhook_max_wait_ms;    /* of a batch's first event */
	bool webhook_throttles;
	int64_t webhook_throttle_qps, webhook_throttle_burst; /* batches */
};

#define AUDIT_OPTIONS_INIT \
	{ \
		.log_format = "json", .log_event_bytes_max = 102400, .webhook_backoff_ms = 10000, \
		.webhook_buffer_size = 10000, .webhook_max_size = 400, .webhook_max_wait_ms = 30000, \
		.webhook_throttles = true, .webhook_throttle_qps = 10, .webhook_throttle_burst = 15 \
	}

#endif
