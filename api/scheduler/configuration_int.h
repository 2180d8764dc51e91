/* What the readers of a KubeSchedulerConfiguration share: configuration.c (the whole, profiles),
 * configuration_extenders.c. */
#ifndef K3X_API_SCHEDULER_CONFIGURATION_INT_H
#define K3X_API_SCHEDULER_CONFIGURATION_INT_H

#include "api/scheduler/configuration.h"

#include "base/json/json.h"

/* What is read, and where in the file. */
struct reading {
	struct arena *a;
	struct err *err;
	struct scheduler_profile *profile, *profiles; /* the one that is read, and all */
	struct scheduler_extender *extender;          /* the one that is read */
	const char **left_out;                        /* resources that are the extenders' alone */
	size_t n_left_out;
	struct scheduler_configuration *all;
};

struct member {
	const char *name;
	/* NULL: it is noted */
	int (*read)(struct reading *r, const struct json *value, const char *where);
};

/* ERR_INVAL: "WHERE is to be WANT". */
int configuration_bad(struct reading *r, const char *where, const char *want);
/* By a table of members; what is in none is an error. */
int configuration_read_object(
        struct reading *r, const struct json *object, const char *where, const struct member *members, size_t n);
int configuration_read_list(struct reading *r, const struct json *list, const char *where,
        int (*read)(struct reading *r, const struct json *value, const char *where));
int configuration_read_count(
        struct reading *r, const struct json *value, const char *where, int64_t min, int64_t max, int64_t *ret);

/* The member extenders. */
int configuration_read_extenders(struct reading *r, const struct json *value, const char *where);

#endif
