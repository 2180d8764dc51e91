/* What the node's Ready condition says. Pure; the texts are static. */
#ifndef K3X_NODE_STATUS_READINESS_INT_H
#define K3X_NODE_STATUS_READINESS_INT_H

#include "base/json/json.h"

struct readiness_facts {
	bool runtime_ready, network_ready, is_shutting_down;
	bool was_ready;         /* this process has been ready before */
	uint64_t age_ms;        /* since this process watches over the node */
	const char *boot_id;    /* of the machine that runs now */
	const struct json *old; /* the Node as the API server has it; NULL: none yet */
};

struct readiness {
	bool is_ready;
	const char *reason, *message;
};

struct readiness readiness_judge(const struct readiness_facts *f);

#endif
