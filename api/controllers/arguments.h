/* What kube-controller-manager takes as arguments; the defaults are upstream's. */
#ifndef K3X_API_CONTROLLERS_ARGUMENTS_H
#define K3X_API_CONTROLLERS_ARGUMENTS_H

#include <stdint.h>

struct controllers_arguments {
	int64_t node_grace_s;        /* a node that is silent for longer is Unknown */
	int64_t terminated_pods_max; /* more pods that have ended are collected; 0: none is */
	/* Nodes of a zone that get NoExecute taints a second; and when at least `unhealthy_zone_threshold` of a zone's
	 * nodes are not ready: the secondary rate, in zones of more than large_zone_nodes, else none. */
	double eviction_rate, secondary_eviction_rate, unhealthy_zone_threshold;
	int64_t large_zone_nodes;
	/* Horizontal pod autoscalers: time between two looks; and see struct hpa_settings (hpa.h). */
	int64_t hpa_period_s, hpa_downscale_stabilization_s, hpa_cpu_initialization_s, hpa_initial_readiness_delay_s;
	double hpa_tolerance;
	int64_t node_mask_bits, node_mask_bits_v6; /* of the pod network of one node */
	int64_t token_period_s; /* after which an unused token in a Secret is marked, and then deleted */
};

#define CONTROLLERS_ARGUMENTS_DEFAULT \
	((struct controllers_arguments){50, 12500, 0.1, 0.01, 0.55, 50, 15, 300, 300, 30, 0.1, 24, 64, 8760 * 3600})

#endif
