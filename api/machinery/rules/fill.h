/* Filling in members that are absent, for the files of the groups. A NULL object is left alone. */
#ifndef K3X_API_MACHINERY_RULES_FILL_H
#define K3X_API_MACHINERY_RULES_FILL_H

#include "base/json/json.h"

void default_str(struct arena *a, struct json *o, const char *key, const char *value);
void default_int(struct arena *a, struct json *o, const char *key, int64_t value);
/* For ints that are not pointers in Go: zero means unset too. */
void default_int_zero(struct arena *a, struct json *o, const char *key, int64_t value);
void default_bool(struct arena *a, struct json *o, const char *key, bool value);
/* Every member of `from` that is absent. */
void default_members(struct arena *a, struct json *o, const struct json *from);

#endif
