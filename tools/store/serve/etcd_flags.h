/* Flags of etcd that are no settings here. See etcd_flags.c. */
#ifndef K3X_TOOLS_STORE_SERVE_ETCD_FLAGS_H
#define K3X_TOOLS_STORE_SERVE_ETCD_FLAGS_H

#include "base/flags.h"

/* What was given of them. */
struct etcd_flags;

/* Adds a row for each of them, under all its names, behind the program's own `n` rows, and the environment that etcd
 * has for each. All in the arena. */
const struct flag *etcd_flags_add(
        struct arena *a, const struct flag *own, size_t n, struct etcd_flags **ret, size_t *ret_count);

/* After the flags were loaded: refuses a value that is not what happens here. ERR_INVAL names the flag and says why. */
int etcd_flags_check(const struct etcd_flags *e, struct err *err);

/* The flag that a setting of etcd's configuration file stands for that lies in a map there; for flags.config_name. */
const char *etcd_flags_config_name(struct arena *a, struct slice section, struct slice key);

#endif
