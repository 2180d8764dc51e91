/* What names may be: pure functions, NULL when fine, else upstream's message. Any thread. */
#ifndef K3X_API_MACHINERY_RULES_NAMES_H
#define K3X_API_MACHINERY_RULES_NAMES_H

#include "base/mem/str.h"

const char *validate_dns1123_label(struct slice s);
const char *validate_dns1123_subdomain(struct slice s);

const char *validate_label_key(struct slice s); /* "example.com/name" or "name" */
const char *validate_label_value(struct slice s);

const char *check_dns1035_label(struct slice s);
const char *check_qualified_name(struct slice s);
const char *check_config_key(struct slice s);
/* For names that are one segment of a path, of any characters else. */
const char *check_path_segment(struct slice s);

#endif
