/* What the readers of a KubeSchedulerConfiguration share: configuration.c (the whole, profiles),
 * configuration_arguments.c (of plugins), configuration_extenders.c. */
#ifndef K3X_API_SCHEDULER_CONFIGURATION_INT_H
#define K3X_API_SCHEDULER_CONFIGURATION_INT_H

#include "api/scheduler/configuration.h"

#include "api/machinery/rules/field_errors.h"
#include "base/json/json.h"

/* What is read, and where in the file. */
struct reading {
	struct arena *a;
	struct err *err;
	struct scheduler_profile *profile, *profiles; /* the one that is read, and all */
	struct scheduler_extender *extender;          /* the one that is read */
	struct spread_default *spread, *spreads;      /* the one that is read, and all of the profile */
	struct field_errors *e;                       /* of the arguments that are read */
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

/* For members that are read elsewhere. */
int configuration_ignore(struct reading *r, const struct json *value, const char *where);
/* This member is told to have no meaning here. */
void configuration_note(struct reading *r, const char *where);

/* pluginConfig[].args of this plugin, into the profile that is read. */
int configuration_read_arguments(struct reading *r, struct slice plugin, const struct json *args, const char *where);

/* The member extenders. */
int configuration_read_extenders(struct reading *r, const struct json *value, const char *where);

#endif
