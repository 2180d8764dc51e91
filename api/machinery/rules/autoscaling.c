/* The autoscaling group. */
#include "api/machinery/rules/defaults_int.h"
#include "api/machinery/rules/groups.h"

static void autoscaler_defaults(struct arena *a, struct json *o)
{
	default_int(a, json_need(a, o, "spec", JSON_OBJECT), "minReplicas", 1);
}

const struct kind_ops kinds_autoscaling[] = {
        {.kind = "HorizontalPodAutoscaler", .defaults = autoscaler_defaults},
        {0},
};
