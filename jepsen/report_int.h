/* What the parts of a report share: the run's operations with their lanes, and the parts themselves. */
#ifndef K3X_JEPSEN_REPORT_INT_H
#define K3X_JEPSEN_REPORT_INT_H

#include "jepsen/report.h"
#include "jepsen/svg.h"

enum { REPORT_LEFT = 150, REPORT_RIGHT = SVG_WIDTH - 12 };

struct report_op {
	int64_t begin_ns, end_ns;
	uint32_t first_record; /* of its invocation */
	uint32_t lane;
	enum history_type type;
};

struct report_data {
	const struct history *history;
	const struct check_report *report;
	struct arena arena;
	struct report_op *ops; /* asked and answered, in order; what came unasked is left out */
	size_t op_count;
	uint32_t lane_count;
	size_t by_type[HISTORY_TYPES];
	int64_t from_ns, to_ns;
};

void report_collect(struct report_data *d, const struct history *h, const struct check_report *r);

void report_style(struct strbuf *out);
void report_script(struct strbuf *out);
void report_faults_chart(struct report_data *d, struct strbuf *out);
void report_throughput(struct report_data *d, struct strbuf *out);
void report_latency(struct report_data *d, struct strbuf *out);
void report_timeline(struct report_data *d, struct strbuf *out);
/* The operations of one finding, large, in order of time with even steps. */
void report_proof(const struct history *h, const struct check_finding *f, struct strbuf *out);
int report_write_file(const char *folder, const char *name, const struct strbuf *text, struct err *err);

#endif
