/* Between the table of kinds (table.c) and the printers of workloads (table_workload.c). */
#ifndef K3X_API_MACHINERY_TABLE_TABLE_INT_H
#define K3X_API_MACHINERY_TABLE_TABLE_INT_H

#include "api/machinery/table/table.h"

struct cells {
	struct strbuf *out;
	struct arena *arena;
	struct json *object;
	int64_t now_s;
	int count;
};

void cell_str(struct cells *c, struct slice s);
void cell_text(struct cells *c, const char *text);
void cell_int(struct cells *c, int64_t v);
__attribute__((format(printf, 2, 3))) void cell_fmt(struct cells *c, const char *fmt, ...);
void cell_or_none(struct cells *c, struct slice s); /* "<none>" when empty */
void cell_name(struct cells *c);
void cell_age(struct cells *c);
void cell_age_of(struct cells *c, struct slice when);
void cell_count(struct cells *c, const char *member);
void cell_join(struct cells *c, const struct json *list, const char *member); /* member NULL: strings */
void cell_labels(struct cells *c, const struct json *labels);
void cell_selector(struct cells *c, const struct json *selector);

void duration_text(char out[32], int64_t seconds);
int64_t time_of(struct slice rfc3339); /* -1: none */

void table_pod(struct cells *c);
void table_service(struct cells *c);
void table_node(struct cells *c);
void table_endpoints(struct cells *c);
void table_replica_set(struct cells *c);
void table_deployment(struct cells *c);
void table_daemon_set(struct cells *c);
void table_stateful_set(struct cells *c);
void table_job(struct cells *c);
void table_cron_job(struct cells *c);
void table_endpoint_slice(struct cells *c);
void table_ingress(struct cells *c);
void table_network_policy(struct cells *c);

#endif
