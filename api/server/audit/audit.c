/* See audit.h. What belongs to the server as a whole: the policy, the backends, the counters, and their end. */
#include "api/server/audit/audit_int.h"

#include "api/server/audit/audit_log.h"
#include "api/server/audit/audit_sinks.h"
#include "api/server/audit/audit_webhook.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/rt/closing.h"

#include <inttypes.h>
#include <stdlib.h>

/* One writes, one puts old files in order. */
enum { POOL_THREADS = 2, POOL_QUEUE_MAX = 8 };

struct audit {
	const struct audit_options *options;
	struct audit_policy *policy;
	struct pool *pool;
	struct audit_log *log; /* NULL: no such backend */
	struct audit_webhook *webhook;
	struct strbuf line; /* of the event that is made; kept for the next */
	bool is_legacy;
	uint64_t events;
	uint64_t levels[AUDIT_LEVELS];
	struct closing closing;
	void (*closed)(void *arg);
	void *closed_arg;
};

const struct audit_policy *audit_policy(const struct audit *a)
{
	return a->policy;
}

void audit_count_level(struct audit *a, enum audit_level level)
{
	CHECK(level < AUDIT_LEVELS);
	a->levels[level]++;
}

static void to_log(struct audit *a, const struct audit_record *r, enum audit_stage stage, int64_t now_ns)
{
	const struct audit_options *o = a->options;
	size_t bytes_max = o->log_truncates ? (size_t)o->log_event_bytes_max : AUDIT_EVENT_BYTES_MAX;
	strbuf_reset(&a->line);
	if (a->is_legacy)
		audit_event_write_legacy(&a->line, r, stage, now_ns);
	else
		audit_event_write(&a->line, r, stage, now_ns, bytes_max);
	audit_log_add(a->log, strbuf_slice(&a->line));
}

static void to_webhook(struct audit *a, const struct audit_record *r, enum audit_stage stage, int64_t now_ns)
{
	strbuf_reset(&a->line);
	audit_event_write(&a->line, r, stage, now_ns, AUDIT_EVENT_BYTES_MAX);
	audit_webhook_add(a->webhook, (struct slice){a->line.data, a->line.len - 1});
}

void audit_emit(struct audit *a, const struct audit_record *r, enum audit_stage stage, int64_t now_ns)
{
	a->events++;
	if (a->log)
		to_log(a, r, stage, now_ns);
	if (a->webhook)
		to_webhook(a, r, stage, now_ns);
	if (a->line.cap > AUDIT_LINE_KEPT_BYTES_MAX)
		strbuf_release(&a->line);
}

static int open_log(struct loop *loop, struct audit *a, struct err *err)
{
	const struct audit_options *o = a->options;
	struct log_file_options file = {.path = o->log_path,
	        .bytes_max = (o->log_max_size_mb ? o->log_max_size_mb : 100) * 1024 * 1024,
	        .backups_max = (unsigned)o->log_max_backup,
	        .age_days_max = (unsigned)o->log_max_age_days,
	        .compresses = o->log_compress};
	return o->log_path ? audit_log_new(loop, a->pool, &file, &a->log, err) : 0;
}

static int check(const struct audit_options *o, struct err *err)
{
	if (strcmp(o->log_format, "json") != 0 && strcmp(o->log_format, "legacy") != 0)
		return err_set(err, ERR_INVAL, "audit-log-format: \"%s\" must be json or legacy", o->log_format);
	if (o->log_max_size_mb < 0 || o->log_max_size_mb > 1024 * 1024 || o->log_max_backup < 0 ||
	        o->log_max_age_days < 0 || o->log_max_backup > INT32_MAX || o->log_max_age_days > INT32_MAX)
		return err_set(err, ERR_INVAL,
		        "audit-log-maxsize (megabytes, up to 1048576), audit-log-maxbackup and audit-log-maxage "
		        "(days) cannot be negative, or as large as that");
	if (o->log_event_bytes_max < 1024 || o->log_event_bytes_max > AUDIT_EVENT_BYTES_MAX)
		return err_set(err, ERR_INVAL, "audit-log-truncate-max-event-size: from 1024 to %u bytes",
		        AUDIT_EVENT_BYTES_MAX);
	return 0;
}

static void free_all(struct audit *a)
{
	if (a->pool)
		pool_free(a->pool);
	audit_policy_free(a->policy);
	audit_webhook_free(a->webhook);
	strbuf_release(&a->line);
	free(a);
}

int audit_new(struct loop *loop, struct outgoing_pool *pool, const struct audit_options *options, struct audit **ret,
        struct err *err)
{
	*ret = NULL;
	if (check(options, err) != 0)
		return err->code;
	if (!options->policy_file) {
		if (options->log_path || options->webhook_config_file)
			log_warn("audit", "without audit-policy-file nothing is audited", "%s", "");
		return 0;
	}
	struct audit *a = xcalloc(1, sizeof *a);
	a->options = options;
	a->is_legacy = strcmp(options->log_format, "legacy") == 0;
	if (audit_policy_load(options->policy_file, &a->policy, err) != 0) {
		free_all(a);
		return err->code;
	}
	if (!options->log_path && !options->webhook_config_file) {
		log_warn("audit",
		        "there is a policy, and neither audit-log-path nor audit-webhook-config-file: nothing is "
		        "audited",
		        "%s", "");
		free_all(a);
		return 0;
	}
	a->pool = pool_new("audit", POOL_THREADS, POOL_QUEUE_MAX);
	if ((options->webhook_config_file && audit_webhook_new(loop, pool, options, &a->webhook, err) != 0) ||
	        open_log(loop, a, err) != 0)
		return err->code; /* the server does not start: what is open ends with the process */
	*ret = a;
	return 0;
}

static void all_closed(struct closing *closing)
{
	struct audit *a = CONTAINER_OF(closing, struct audit, closing);
	void (*closed)(void *) = a->closed;
	void *arg = a->closed_arg;
	free_all(a);
	closed(arg);
}

void audit_close_webhook(struct audit *a, void (*closed)(void *arg), void *arg)
{
	if (a && a->webhook)
		audit_webhook_close(a->webhook, closed, arg);
	else
		closed(arg);
}

void audit_close(struct audit *a, void (*closed)(void *arg), void *arg)
{
	CHECK(!a->closed);
	a->closed = closed;
	a->closed_arg = arg;
	a->closing.all_closed = all_closed;
	closing_hold(&a->closing);
	if (a->log)
		audit_log_close(a->log, closing_part_done, &a->closing);
	else
		closing_part_done(&a->closing);
}

void audit_metrics(const struct audit *a, struct strbuf *out)
{
	if (!a)
		return;
	strbuf_addf(out, "# TYPE apiserver_audit_event_total counter\napiserver_audit_event_total %" PRIu64 "\n",
	        a->events);
	strbuf_adds(out, "# TYPE apiserver_audit_level_total counter\n");
	for (size_t i = 0; i < AUDIT_LEVELS; i++)
		strbuf_addf(out, "apiserver_audit_level_total{level=\"%s\"} %" PRIu64 "\n",
		        audit_level_name((enum audit_level)i), a->levels[i]);
	strbuf_adds(out, "# TYPE apiserver_audit_error_total counter\n");
	if (a->log)
		strbuf_addf(out, "apiserver_audit_error_total{plugin=\"log\"} %" PRIu64 "\n", audit_log_lost(a->log));
	if (a->webhook)
		strbuf_addf(out, "apiserver_audit_error_total{plugin=\"webhook\"} %" PRIu64 "\n",
		        audit_webhook_lost(a->webhook));
}
