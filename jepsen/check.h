/* Checkers: pure functions from a history to a verdict.
 *
 * A checker looks at one property. It answers VALID, INVALID with the records that prove it, or UNKNOWN with the reason
 * (its budget of time or memory ran out, or the history does not say enough). Which checkers a history gets is decided
 * by its setting "workload". check_history() runs them all and takes the worst verdict. */
#ifndef K3X_JEPSEN_CHECK_H
#define K3X_JEPSEN_CHECK_H

#include "jepsen/history.h"

struct json_t;

enum check_verdict { CHECK_VALID, CHECK_UNKNOWN, CHECK_INVALID };

struct check_options {
	int64_t time_ms_max; /* per checker */
	size_t memory_bytes_max;
	uint32_t findings_max; /* kept per checker; more are only counted */
};

#define CHECK_OPTIONS_DEFAULT \
	((struct check_options){.time_ms_max = 60000, .memory_bytes_max = 1u << 30, .findings_max = 16})

/* One violation. */
struct check_finding {
	const char *anomaly;     /* "G1a", "lost element", "not linearizable", ... */
	const char *text;        /* one or more sentences */
	const uint32_t *records; /* what proves it, in the order to be read */
	uint32_t record_count;
	uint32_t culprit; /* the record that cannot be, HISTORY_NONE when they are only wrong together */
	struct check_finding *next;
};

struct check_result {
	const char *checker;
	enum check_verdict verdict;
	const char *reason; /* of UNKNOWN; otherwise what was looked at: "3 keys, 4211 operations" */
	struct check_finding *findings;
	uint32_t finding_count; /* all, also those that were not kept */
	int64_t checked;        /* operations looked at */
	int64_t took_ms;
};

struct check_report {
	struct arena arena;
	enum check_verdict verdict;
	struct check_result *results;
	size_t count;
};

/* What a checker is given: it reports with check_find() and check_unknown() and says what it looked at. */
struct check_context {
	const struct history *history;
	const struct history_ops *ops;
	const struct check_options *options;
	struct arena *arena; /* lives as long as the report */
	struct check_result *result;
	struct check_finding **tail;
	int64_t deadline_ns;
};

struct checker {
	const char *name;
	const char *workloads; /* " register kube ": names with a space on both sides */
	void (*run)(struct check_context *c);
};

extern const struct checker checkers[];
extern const size_t checker_count;

/* Runs every checker of the history's workload. ERR_INVAL when the history cannot be paired or no checker knows the
 * workload. The report owns its memory: check_report_release(). */
int check_history(
        const struct history *h, const struct check_options *options, struct check_report *ret_report, struct err *err);
void check_report_release(struct check_report *r);
const char *check_verdict_name(enum check_verdict v); /* "valid", "unknown", "invalid" */

/* {"verdict":..., "checkers":[...]}: what result.json holds. The caller frees it (json_decref). */
struct json_t *check_report_json(const struct history *h, const struct check_report *r);

/* ---- for checkers ---- */
__attribute__((format(printf, 5, 6))) void check_find(struct check_context *c, const char *anomaly,
        const uint32_t *records, uint32_t record_count, const char *fmt, ...);
__attribute__((format(printf, 2, 3))) void check_unknown(struct check_context *c, const char *fmt, ...);
void check_blame(struct check_context *c, uint32_t record); /* names the culprit of the finding just made */
bool check_out_of_time(const struct check_context *c);

void check_register(struct check_context *c); /* WGL search per key: stands alone */
void check_revision(struct check_context *c); /* the same by the revisions the servers gave */
void check_origin(struct check_context *c);   /* every change was asked for, and happened once */
void check_set(struct check_context *c);
void check_unique(struct check_context *c);
void check_counter(struct check_context *c);
void check_append(struct check_context *c);
void check_bank(struct check_context *c);
void check_watch(struct check_context *c);
void check_lease(struct check_context *c);
void check_lock(struct check_context *c);
void check_kube(struct check_context *c);

#endif
