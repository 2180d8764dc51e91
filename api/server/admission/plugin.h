/* The plugins, one file each: what admission.c puts into its table. Every function gets only what its row says it
 * handles. They return 0, an error, or ADMISSION_LATER. */
#ifndef K3X_API_SERVER_ADMISSION_PLUGIN_H
#define K3X_API_SERVER_ADMISSION_PLUGIN_H

#include "api/machinery/schema/kind_ops.h"
#include "api/server/cache/cache.h"

struct admission;

typedef int admission_fn(struct admission *a, struct err *err);

admission_fn drop_disabled_fields;      /* disabled_fields.c */
admission_fn warn_of_unbuilt;           /* unbuilt.c */
admission_fn admit_namespace_lifecycle; /* namespace_lifecycle.c */
admission_fn admit_service_account;     /* service_account.c */
admission_fn admit_account_secrets;
admission_fn warn_of_enforced_secrets;
admission_fn admit_runtime_class; /* runtime_class.c */
admission_fn admit_priority;      /* priority.c */
admission_fn admit_priority_class;
admission_fn admit_tolerations;       /* default_tolerations.c */
admission_fn admit_node_taint;        /* node_taint.c */
admission_fn admit_service_addresses; /* service_addresses.c */
admission_fn admit_limit_defaults;    /* limit_ranger.c */
admission_fn admit_limits;
admission_fn admit_pod_security;           /* pod_security.c */
admission_fn admit_resource_quota;         /* resource_quota.c */
admission_fn admit_node_restriction;       /* node_restriction.c */
admission_fn admit_by_policies;            /* policy_plugin.c */
admission_fn admit_by_mutating_webhooks;   /* webhook_mutating.c */
admission_fn admit_by_validating_webhooks; /* webhook_validating.c */
admission_fn admit_pull_policy;            /* always_pull_images.c */
admission_fn admit_pulled_images;
admission_fn admit_storage_class; /* default_class.c */
admission_fn admit_ingress_class;
admission_fn admit_storage_protection; /* storage_protection.c */
admission_fn admit_claim_resize;       /* claim_resize.c */
admission_fn admit_node_selector;      /* pod_node_selector.c */
admission_fn admit_node_selector_again;
admission_fn admit_event;           /* event_rate_limit.c */
admission_fn admit_pod_tolerations; /* pod_tolerations.c */
admission_fn admit_allowed_tolerations;
admission_fn name_requester; /* certificates.c */
admission_fn stamp_conditions;
admission_fn admit_certificate_approval;
admission_fn admit_certificate_signing;
admission_fn admit_certificate_subject;
admission_fn admit_external_ips; /* deny_external_ips.c */
admission_fn admit_role;         /* rbac_escalation.c */
admission_fn admit_role_binding;
admission_fn admit_param_kind; /* param_rights.c */
admission_fn admit_param_ref;
void remove_service_addresses(struct admission *a);

/* The object of a preferred row in the watch cache, NULL when absent. Borrowed. */
struct object *admission_lookup(struct admission *a, const char *group, const char *plural, struct slice key);

/* The end of somebody's turn with a namespace's quotas; `revision`: at which it wrote, 0 when it did not. Nothing when
 * it has none. */
void quota_end_turn(struct admission *a, int64_t revision);

/* ERR_FORBIDDEN in upstream's frame, however long it gets: 'pods "x" is forbidden: WHY'. */
int admission_forbid(struct admission *a, struct err *err, const char *why);

/* The template of an object that makes pods; NULL: it has none. */
const struct json *admission_template_of(const struct json *object);

/* All of a resource in a namespace (in order of names); borrowed. */
void admission_each(struct admission *a, const char *group, const char *plural, struct slice ns,
        void (*fn)(void *arg, struct object *o), void *arg);

#endif
