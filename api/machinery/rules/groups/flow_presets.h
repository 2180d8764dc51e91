/* The priority levels and flow schemas of a new cluster: upstream's (apiserver/pkg/apis/flowcontrol/bootstrap). Tables.
 */
#ifndef K3X_API_MACHINERY_RULES_GROUPS_FLOW_PRESETS_H
#define K3X_API_MACHINERY_RULES_GROUPS_FLOW_PRESETS_H

#include "base/json/json.h"

struct preset {
	const char *plural, *name;
	bool is_mandatory; /* its spec is always this; else it is the operator's to change */
	const char *spec;  /* JSON; of a schema but its rules */
	const char *rules; /* of a schema: presets.c says how they are written. NULL: a level */
};

extern const struct preset presets[]; /* ends with a NULL name; levels before the schemas that name them */

#define PRESET_AUTOUPDATE "apf.kubernetes.io/autoupdate-spec"

/* The mandatory one of that name among the schemas or the levels; NULL: there is none. */
const struct preset *preset_mandatory(bool is_schema, struct slice name);
/* Whether a spec is what that of a mandatory one must be. Of the level `exempt` the member `exempt` is the
 * operator's. */
bool preset_spec_is_right(struct arena *a, const struct preset *p, const struct json *spec);
/* The whole object, in the arena. */
struct json *preset_object(struct arena *a, const struct preset *p);
/* Brings a stored object to what it should be (of the level `exempt` the member `exempt` stays). False: it is so, or
 * somebody else's: its annotation says "false", or says nothing and it was changed (its generation is not 1). */
bool preset_reconcile(struct arena *a, const struct preset *p, struct json *stored);

#endif
