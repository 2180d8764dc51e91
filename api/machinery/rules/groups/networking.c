/* The networking.k8s.io group: its rows. Ingresses and their classes are networking_ingress.c's, policies
 * networking_policy.c's. */
#include "api/machinery/rules/groups.h"
#include "api/machinery/rules/groups/networking_int.h"
#include "api/machinery/rules/warnings.h"
#include "api/machinery/table/printers.h"

#define CLASS_ANNOTATION "kubernetes.io/ingress.class"

static void warn_of_ingress(struct warnings *w, const struct json *object, const struct json *old)
{
	if (!old && json_path(object, "metadata", "annotations", CLASS_ANNOTATION, NULL) &&
	        !json_path(object, "spec", "ingressClassName", NULL))
		warning_add(w, "annotation \"" CLASS_ANNOTATION
		               "\" is deprecated, please use 'spec.ingressClassName' instead");
}

const struct kind_ops kinds_networking[] = {
        {.kind = "IngressClass",
                .defaults = ingress_class_defaults,
                .validate = validate_ingress_class,
                .immutable = "spec.controller",
                .columns = "Name,Controller,Parameters,Age",
                .cells = table_ingress_class},
        {.kind = "Ingress",
                .traits = KIND_IS_INGRESS,
                .validate = validate_ingress,
                .warn = warn_of_ingress,
                .validate_part = validate_ingress_status,
                .columns = "Name,Class,Hosts,Address,Ports,Age",
                .cells = table_ingress},
        {.kind = "NetworkPolicy",
                .defaults = network_policy_defaults,
                .validate = validate_network_policy,
                .columns = "Name,Pod-Selector,Age",
                .cells = table_network_policy},
        {0},
};
