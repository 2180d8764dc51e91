/* The `format` of strings in schemas: those that upstream supports for custom resources. */
#ifndef K3X_API_MACHINERY_RULES_CUSTOM_CUSTOM_FORMAT_H
#define K3X_API_MACHINERY_RULES_CUSTOM_CUSTOM_FORMAT_H

#include "base/mem/str.h"

struct custom_format {
	const char *name;
	bool (*fits)(struct slice text);
};

/* NULL: not one that is checked (upstream lets such pass, too). */
const struct custom_format *custom_format_find(struct slice name);

#endif
