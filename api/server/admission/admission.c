/* See admission.h. The table is upstream's plugins, in upstream's order, as far as they are built: those that are on by
 * default, those that are on when they are asked for, and what upstream does elsewhere and that is always on. What a
 * webhook has changed goes through the plugins that mutate once more.
 *
 * Everything the present plugins look at (namespaces, service accounts, priority classes) lies in the watch cache,
 * which the caller has awaited, so that none of them waits. */
#include "api/server/converting/conversion.h"
#include "api/server/admission/admission.h"
#include "api/server/admission/plugin.h"

#include "api/server/admission/config.h"
#include "api/server/arguments.h"
#include "api/machinery/schema/kind_ops.h"
#include "api/server/call.h"
#include "api/server/state.h"
#include "base/check.h"

#include <stdlib.h>

enum {
	ON_CREATE = 1 << ADMISSION_CREATE,
	ON_UPDATE = 1 << ADMISSION_UPDATE,
	ON_DELETE = 1 << ADMISSION_DELETE,
	ON_ALL = ON_CREATE | ON_UPDATE | ON_DELETE | 1 << ADMISSION_CONNECT,
};

struct plugin {
	const char *name; /* upstream's */
	unsigned operations;
	unsigned kinds; /* KIND_IS_*; 0: every resource */
	admission_fn *mutate, *validate;
	void (*remove)(struct admission *a);
	/* The writes of subresources that it sees, too. */
	enum { NO_SUBS, EVERY_SUB, RESIZE_ALONE, EPHEMERAL_ALONE } subs;
	enum { BY_DEFAULT, ON_DEMAND, ALWAYS } when;
};

static const struct plugin plugins[] = {
        /* Not upstream's: there it is a part of every kind's storage that makes pods. */
        {"DisabledFields", ON_CREATE | ON_UPDATE, KIND_IS_POD | KIND_MAKES_PODS, drop_disabled_fields, NULL, NULL,
                EVERY_SUB, ALWAYS},
        {"NamespaceLifecycle", ON_CREATE | ON_DELETE, 0, admit_namespace_lifecycle, NULL, NULL, NO_SUBS, BY_DEFAULT},
        {"LimitRanger", ON_CREATE | ON_UPDATE, KIND_IS_POD | KIND_IS_CLAIM, admit_limit_defaults, admit_limits, NULL,
                RESIZE_ALONE, BY_DEFAULT},
        {"PodSecurity", ON_CREATE | ON_UPDATE, KIND_IS_POD | KIND_MAKES_PODS | KIND_IS_NAMESPACE, NULL,
                admit_pod_security, NULL, EVERY_SUB, BY_DEFAULT},
        {"ServiceAccount", ON_CREATE | ON_UPDATE, KIND_IS_POD, admit_service_account, admit_account_secrets, NULL,
                EPHEMERAL_ALONE, BY_DEFAULT},
        {"TaintNodesByCondition", ON_CREATE, KIND_IS_NODE, admit_node_taint, NULL, NULL, NO_SUBS, BY_DEFAULT},
        {"Priority", ON_CREATE | ON_UPDATE, KIND_IS_POD, admit_priority, NULL, NULL, NO_SUBS, BY_DEFAULT},
        {"Priority", ON_CREATE | ON_UPDATE | ON_DELETE, KIND_IS_PRIORITY_CLASS, NULL, admit_priority_class, NULL,
                NO_SUBS, BY_DEFAULT},
        {"RuntimeClass", ON_CREATE, KIND_IS_POD, admit_runtime_class, NULL, NULL, NO_SUBS, BY_DEFAULT},
        {"DefaultTolerationSeconds", ON_CREATE, KIND_IS_POD, admit_tolerations, NULL, NULL, NO_SUBS, BY_DEFAULT},
        {"AlwaysPullImages", ON_CREATE | ON_UPDATE, KIND_IS_POD, admit_pull_policy, admit_pulled_images, NULL, NO_SUBS,
                ON_DEMAND},
        {"PodNodeSelector", ON_CREATE, KIND_IS_POD, admit_node_selector, admit_node_selector_again, NULL, NO_SUBS,
                ON_DEMAND},
        {"PodTolerationRestriction", ON_CREATE | ON_UPDATE, KIND_IS_POD, admit_pod_tolerations,
                admit_allowed_tolerations, NULL, NO_SUBS, ON_DEMAND},
        {"EventRateLimit", ON_CREATE | ON_UPDATE, KIND_IS_EVENT, NULL, admit_event, NULL, NO_SUBS, ON_DEMAND},
        {"DefaultStorageClass", ON_CREATE, KIND_IS_CLAIM, admit_storage_class, NULL, NULL, NO_SUBS, BY_DEFAULT},
        {"StorageObjectInUseProtection", ON_CREATE, KIND_IS_CLAIM | KIND_IS_VOLUME, admit_storage_protection, NULL,
                NULL, NO_SUBS, BY_DEFAULT},
        {"PersistentVolumeClaimResize", ON_UPDATE, KIND_IS_CLAIM, NULL, admit_claim_resize, NULL, NO_SUBS, BY_DEFAULT},
        {"DefaultIngressClass", ON_CREATE, KIND_IS_INGRESS, admit_ingress_class, NULL, NULL, NO_SUBS, BY_DEFAULT},
        {"MutatingAdmissionWebhook", ON_ALL, 0, admit_by_mutating_webhooks, NULL, NULL, EVERY_SUB, BY_DEFAULT},
        /* Not upstream's: there it is a part of the services' storage. */
        {"ServiceAddresses", ON_CREATE | ON_UPDATE, KIND_IS_SERVICE, admit_service_addresses, NULL,
                remove_service_addresses, NO_SUBS, ALWAYS},
        {"DenyServiceExternalIPs", ON_CREATE | ON_UPDATE, KIND_IS_SERVICE, NULL, admit_external_ips, NULL, NO_SUBS,
                ON_DEMAND},
        /* First of all, as upstream has it: who may not hears that, and not what is wrong with what he wrote. And once
         * more of what the others made of it. */
        {"NodeRestriction", ON_ALL, 0, admit_node_restriction, admit_node_restriction, NULL, EVERY_SUB, BY_DEFAULT},
        /* Nor are these two: there they are a part of the storage of roles. */
        {"RoleEscalation", ON_CREATE | ON_UPDATE, KIND_IS_ROLE, NULL, admit_role, NULL, NO_SUBS, ALWAYS},
        {"RoleBindingEscalation", ON_CREATE | ON_UPDATE, KIND_IS_ROLE_BINDING, NULL, admit_role_binding, NULL, NO_SUBS,
                ALWAYS},
        /* And these of policies. */
        {"ParamKindRights", ON_CREATE | ON_UPDATE, KIND_IS_POLICY, NULL, admit_param_kind, NULL, NO_SUBS, ALWAYS},
        {"ParamRefRights", ON_CREATE | ON_UPDATE, KIND_IS_POLICY_BINDING, NULL, admit_param_ref, NULL, NO_SUBS, ALWAYS},
        {"CertificateRequester", ON_CREATE, KIND_IS_CERTIFICATE_REQUEST, name_requester, NULL, NULL, NO_SUBS, ALWAYS},
        {"CertificateConditionTimes", ON_UPDATE, KIND_IS_CERTIFICATE_REQUEST, stamp_conditions, NULL, NULL, EVERY_SUB,
                ALWAYS},
        {"CertificateApproval", ON_UPDATE, KIND_IS_CERTIFICATE_REQUEST, NULL, admit_certificate_approval, NULL,
                EVERY_SUB, BY_DEFAULT},
        {"CertificateSigning", ON_UPDATE, KIND_IS_CERTIFICATE_REQUEST, NULL, admit_certificate_signing, NULL, EVERY_SUB,
                BY_DEFAULT},
        {"CertificateSubjectRestriction", ON_CREATE, KIND_IS_CERTIFICATE_REQUEST, NULL, admit_certificate_subject, NULL,
                NO_SUBS, BY_DEFAULT},
        {"ValidatingAdmissionPolicy", ON_ALL, 0, NULL, admit_by_policies, NULL, EVERY_SUB, BY_DEFAULT},
        {"ValidatingAdmissionWebhook", ON_ALL, 0, NULL, admit_by_validating_webhooks, NULL, EVERY_SUB, BY_DEFAULT},
        {"ResourceQuota", ON_CREATE | ON_UPDATE, 0, NULL, admit_resource_quota, NULL, RESIZE_ALONE, BY_DEFAULT},
        {"EnforcedSecrets", ON_CREATE | ON_UPDATE, 0, NULL, warn_of_enforced_secrets, NULL, NO_SUBS, ALWAYS},
        {"Unbuilt", ON_CREATE | ON_UPDATE, 0, NULL, warn_of_unbuilt, NULL, NO_SUBS, ALWAYS},
};

const char *admission_operation_name(enum admission_operation o)
{
	static const char *const names[] = {[ADMISSION_CREATE] = "CREATE",
	        [ADMISSION_UPDATE] = "UPDATE",
	        [ADMISSION_DELETE] = "DELETE",
	        [ADMISSION_CONNECT] = "CONNECT"};
	return names[o];
}

struct object *admission_lookup(struct admission *a, const char *group, const char *plural, struct slice key)
{
	const struct resource *r = resource_find_preferred(slice_of(group), slice_of(plural));
	return r ? cache_get(cache_resource(a->call->server->cache, r), key) : NULL;
}

const struct json *admission_template_of(const struct json *object)
{
	static const char *const paths[][4] = {
	        {"spec", "jobTemplate", "spec", "template"}, {"spec", "template"}, {"template"}};
	for (size_t i = 0; i < COUNT_OF(paths); i++) {
		const struct json *at = object;
		for (size_t k = 0; k < 4 && paths[i][k]; k++)
			at = json_get(at, paths[i][k]);
		if (at)
			return at;
	}
	return NULL;
}

void admission_each(struct admission *a, const char *group, const char *plural, struct slice ns,
        void (*fn)(void *arg, struct object *o), void *arg)
{
	const struct resource *r = resource_find_preferred(slice_of(group), slice_of(plural));
	struct slice prefix = slice_of(arena_printf(a->arena, "%.*s/", SLICE_FMT(ns)));
	CHECK(r && r->namespaced);
	struct omap_node *n = omap_seek(&cache_resource(a->call->server->cache, r)->objects, prefix);
	for (; n && slice_starts(n->key, prefix.ptr); n = omap_next(n))
		fn(arg, n->value);
}

int admission_forbid(struct admission *a, struct err *err, const char *why)
{
	struct arena *arena = &a->call->arena;
	a->call->words = arena_printf(arena, "%s%s%s \"%.*s\" is forbidden: %s", a->resource->plural,
	        *a->resource->group ? "." : "", a->resource->group, SLICE_FMT(a->name), why);
	return err_set(err, ERR_FORBIDDEN, "%s", a->call->words);
}

struct admission_write *admission_add_write(struct admission *a, struct slice key)
{
	struct admission_write *w = ARENA_NEW(a->arena, struct admission_write);
	CHECK(key.len > 0);
	w->key = key;
	w->next = a->writes;
	a->writes = w;
	return w;
}

/* ---- which are on ---- */

/* Upstream's that are not here. */
static const char *const unbuilt[] = {"AlwaysAdmit", "AlwaysDeny", "ClusterTrustBundleAttest",
        "ExtendedResourceToleration", "ImagePolicyWebhook", "LimitPodHardAntiAffinityTopology",
        "MutatingAdmissionPolicy", "NamespaceAutoProvision", "NamespaceExists", "OwnerReferencesPermissionEnforcement"};

/* A plugin may have several rows, one for each kind that it looks at. False: there is none of that name. */
static bool switch_rows(struct admission_config *c, const char *name, bool is_on)
{
	bool is_known = false;
	for (size_t k = 0; k < COUNT_OF(plugins); k++)
		if (plugins[k].when != ALWAYS && strcmp(plugins[k].name, name) == 0) {
			c->is_on[k] = is_on;
			is_known = true;
		}
	return is_known;
}

static int switch_plugins(struct admission_config *c, const struct flag_list *names, bool is_on, struct err *err)
{
	const char *argument = is_on ? "enable-admission-plugins" : "disable-admission-plugins";
	for (size_t i = 0; i < names->count; i++) {
		bool is_off = false;
		if (switch_rows(c, names->items[i], is_on))
			continue;
		for (size_t j = 0; j < COUNT_OF(unbuilt); j++)
			if (strcmp(unbuilt[j], names->items[i]) == 0 && is_on)
				return err_set(err, ERR_UNIMPLEMENTED, "%s: %s is not built%s", argument, unbuilt[j],
				        strcmp(unbuilt[j], "MutatingAdmissionPolicy") == 0
				                ? ": it is alpha, and off, in Kubernetes 1.32"
				                : " yet");
			else if (strcmp(unbuilt[j], names->items[i]) == 0)
				is_off = true; /* what is not there is */
		if (!is_off)
			return err_set(err, ERR_INVAL, "%s: there is no plugin \"%s\"", argument, names->items[i]);
	}
	return 0;
}

int admission_config_new(struct api_server *s, struct admission_config **ret, struct err *err)
{
	const struct api_admission_arguments *args = &s->options.arguments->admission;
	_Static_assert(COUNT_OF(plugins) <= ADMISSION_PLUGINS_MAX, "a switch for each");
	struct admission_config *c = xcalloc(1, sizeof *c);
	for (size_t i = 0; i < COUNT_OF(plugins); i++)
		c->is_on[i] = plugins[i].when != ON_DEMAND;
	for (size_t i = 0; i < args->disable.count; i++)
		if (flag_list_has(&args->enable, args->disable.items[i]))
			err_set(err, ERR_INVAL, "%s is in enable-admission-plugins and in disable-admission-plugins",
			        args->disable.items[i]);
	if (err->code || switch_plugins(c, &args->disable, false, err) != 0 ||
	        switch_plugins(c, &args->enable, true, err) != 0 ||
	        admission_config_read(c, args->config_file, err) != 0) {
		admission_config_free(c);
		return err->code;
	}
	for (size_t i = 0; i < COUNT_OF(plugins); i++)
		if (plugins[i].validate == admit_event && c->is_on[i] && !c->events) {
			admission_config_free(c);
			return err_set(err, ERR_INVAL,
			        "EventRateLimit needs its limits: a section in admission-control-config-file");
		}
	*ret = c;
	return 0;
}

void admission_config_free(struct admission_config *c)
{
	if (c)
		admission_config_release(c);
	free(c);
}

/* ---- a request's way through them ---- */

static bool sees(const struct plugin *p, const char *sub)
{
	static const char *const alone[] = {[RESIZE_ALONE] = "resize", [EPHEMERAL_ALONE] = "ephemeralcontainers"};
	if (!*sub || p->subs == EVERY_SUB)
		return true;
	return p->subs != NO_SUBS && strcmp(sub, alone[p->subs]) == 0;
}

static bool handles(const struct plugin *p, const struct admission *a)
{
	if (!a->call->server->admission->is_on[p - plugins])
		return false;
	if (!(p->operations & 1u << a->operation) || !sees(p, a->sub))
		return false;
	return !p->kinds || resource_has(a->resource, p->kinds);
}

/* From a->at on, which stays behind whoever has answered, unless he wants those before him to be asked again. */
static int run(struct admission *a, struct err *err)
{
	while (a->at < COUNT_OF(plugins)) {
		const struct plugin *p = &plugins[a->at++];
		admission_fn *fn = a->is_mutating ? p->mutate : p->validate;
		if (!fn || !handles(p, a))
			continue;
		int rc = fn(a, err);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int start(struct admission *a, bool is_mutating, struct err *err)
{
	CHECK(a->call && a->arena && a->errors);
	a->at = 0;
	a->is_mutating = is_mutating;
	return run(a, err);
}

void admission_resume(struct admission *a, const struct err *err)
{
	struct err now = *err;
	CHECK(a->done);
	if (now.code || run(a, &now) != ADMISSION_LATER)
		a->done(a, &now);
}

static void forms_are_there(void *arg, const struct err *err)
{
	struct admission *a = arg;
	resource_unref(TAKE(a->lacking));
	if (err->code)
		conversion_blame(a->call, err);
	else
		a->at--; /* the plugin that lacked them */
	admission_resume(a, err);
}

int admission_get_forms(struct admission *a, const struct resource *r)
{
	CHECK(a->at > 0);
	conversion_ask(r, forms_are_there, a);
	return ADMISSION_LATER;
}

int admission_mutate(struct admission *a, struct err *err)
{
	return start(a, true, err);
}

int admission_validate(struct admission *a, struct err *err)
{
	return start(a, false, err);
}

void admission_end(struct admission *a, int64_t revision)
{
	quota_end_turn(a, revision);
}

void admission_remove(struct admission *a)
{
	CHECK(a->old != NULL);
	for (size_t i = 0; i < COUNT_OF(plugins); i++)
		if (plugins[i].remove && resource_has(a->resource, plugins[i].kinds))
			plugins[i].remove(a);
}
