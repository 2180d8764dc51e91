/* Prometheus' text format (version 0.0.4), sample by sample: what kubelets say at /metrics/resource.
 *
 *     struct exposition e;
 *     exposition_init(&e, text);
 *     while (exposition_next(&e, &err))
 *             if (slice_is(e.name, "node_cpu_usage_seconds_total")) ...
 *     if (err.code) ...
 *
 * Comments (HELP, TYPE) and empty lines are stepped over. No memory, no state but the reader's own; any thread. */
#ifndef K3X_NET_METRICS_EXPOSITION_H
#define K3X_NET_METRICS_EXPOSITION_H

#include "base/err.h"
#include "base/limits.h"
#include "base/mem/str.h"

struct exposition_label {
	struct slice name, value; /* of the text; the value as it stands there, escapes and all */
};

struct exposition {
	struct slice name; /* of the metric */
	struct exposition_label labels[METRICS_LABELS_MAX];
	size_t n_labels;
	double value;         /* may be NaN or infinite */
	bool has_timestamp;   /* else timestamp_ms is 0 */
	int64_t timestamp_ms; /* since 1970 */
	/* the reader's own */
	const char *pos, *end;
	size_t line;
};

/* The text lives as long as what is read from it. */
void exposition_init(struct exposition *e, struct slice text);

/* The next sample. False at the end, and with ERR_INVAL, "line N: what is wrong", where the text is none: nothing more
 * is read then. *err is untouched at the end. */
bool exposition_next(struct exposition *e, struct err *err);

/* The value of a label, SLICE_NULL when there is none of this name. */
struct slice exposition_label(const struct exposition *e, const char *name);

#endif
