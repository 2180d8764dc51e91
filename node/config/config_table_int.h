/* Every field of KubeletConfiguration. */
#ifndef K3X_NODE_CONFIG_CONFIG_TABLE_INT_H
#define K3X_NODE_CONFIG_CONFIG_TABLE_INT_H

#include "base/mem/str.h"

enum config_type {
	CONFIG_BOOL,
	CONFIG_INT,
	CONFIG_PERCENT,
	CONFIG_NUMBER,
	CONFIG_DURATION,
	CONFIG_QUANTITY,
	CONFIG_STRING,
	CONFIG_STRINGS, /* a list of them; in a flag with commas between */
	CONFIG_PAIRS,   /* names and texts; in a flag "a=b,c=d", and of thresholds "a<b" */
	CONFIG_TREE,    /* an object */
	CONFIG_TREES    /* a list of objects */
};

struct config_field {
	const char *name; /* of the field */
	const char *flag; /* of the kubelet; NULL: it has none */
	enum config_type type;
	const char *initial; /* JSON text of the default */
	const char *ignored; /* why another value than the default changes nothing; NULL: it is heeded */
};

const struct config_field *config_fields(size_t *ret_count);
const struct config_field *config_field_named(struct slice name); /* NULL: there is none */
const struct config_field *config_field_of_flag(struct slice flag);

/* The feature gates that change something here, with their default of 1.32. False: it is none of them. */
bool config_gate_named(struct slice name, bool *ret_is_on);

/* Flags of a kubelet that are no field: what to use instead; NULL: it is not among them. */
const char *config_flag_instead(struct slice flag);

#endif
