/* One consistent picture of a pod, from its record: what each container shows, the phase, what is ready. The status is
 * written from it and from nothing else, so that no two of its fields can have been read at different moments. Pure. */
#ifndef K3X_NODE_STATUS_POD_PICTURE_INT_H
#define K3X_NODE_STATUS_POD_PICTURE_INT_H

#include "node/ground/pod_record.h"

enum picture_state { PICTURE_WAITING, PICTURE_RUNNING, PICTURE_TERMINATED };

/* How a run ended: what the runtime told of it, or what the API server has of it, or (neither) that nobody saw it. */
struct picture_end {
	bool is_there;
	const struct container *record;
	const struct json *carried; /* a ContainerState with `terminated` */
};

struct container_picture {
	const struct slot *slot;
	const struct container *record; /* the newest; NULL: the runtime has none */
	enum picture_state state;
	const struct json *carried;   /* the state as the API server has it; NULL: by the fields below */
	const char *reason, *message; /* of waiting */
	struct picture_end end;       /* of terminated */
	struct picture_end last;      /* the run before */
	bool is_ready, is_started;
	int64_t restarts;
};

struct pod_picture {
	struct container_picture *containers; /* one per slot, in their order */
	size_t count;
	const char *phase; /* "Pending", ...; static */
	bool is_initialized, containers_ready, sandbox_ready;
};

/* In the arena; points into the pod's record. */
struct pod_picture pod_picture_take(const struct pod *p, struct arena *a);

/* 137 when nobody saw the end. */
int picture_exit_code(const struct picture_end *e);
bool picture_is_over(const struct pod_picture *pic); /* Succeeded or Failed */
/* An init container that ended well, a sidecar that has started, a main that is ready. */
bool picture_is_complete(const struct container_picture *c);

#endif
