/* The printers: each appends the cells of one object, in the order of its kind's columns (struct kind_ops). */
#ifndef K3X_API_MACHINERY_TABLE_PRINTERS_H
#define K3X_API_MACHINERY_TABLE_PRINTERS_H

#include "api/machinery/table/cells.h"

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

void table_definition(struct cells *c);
void table_aggregated_service(struct cells *c);
void table_admission_policy(struct cells *c);
void table_admission_binding(struct cells *c);
void table_admission_webhooks(struct cells *c);
void table_config_map(struct cells *c);
void table_secret(struct cells *c);
void table_service_account(struct cells *c);
void table_namespace(struct cells *c);
void table_event(struct cells *c);
void table_lease(struct cells *c);
void table_priority_class(struct cells *c);
void table_flow_schema(struct cells *c);
void table_priority_level(struct cells *c);
void table_role_binding(struct cells *c);
void table_role(struct cells *c);
void table_certificate_request(struct cells *c);
void table_storage_class(struct cells *c);
void table_autoscaler(struct cells *c);
void table_budget(struct cells *c);
void table_claim(struct cells *c);
void table_volume(struct cells *c);
void table_csi_driver(struct cells *c);
void table_csi_node(struct cells *c);
void table_csi_capacity(struct cells *c);
void table_attachment(struct cells *c);
void table_quota(struct cells *c);
void table_revision(struct cells *c);
void table_pod_template(struct cells *c);
void table_component(struct cells *c);
void table_ingress_class(struct cells *c);
void table_runtime_class(struct cells *c);
/* Name and age: kinds without columns of their own. */
void table_plain(struct cells *c);

#endif
