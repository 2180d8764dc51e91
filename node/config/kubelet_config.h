/* The kubelet's configuration in force: KubeletConfiguration (kubelet.config.k8s.io/v1beta1) as a tree in which every
 * field is there and right, so that who reads one need not ask. Read once at the start; any thread may read after. */
#ifndef K3X_NODE_CONFIG_KUBELET_CONFIG_H
#define K3X_NODE_CONFIG_KUBELET_CONFIG_H

#include "base/err.h"
#include "base/json/json.h"

struct kubelet_config {
	struct arena arena;
	struct json *tree;
	const char **warnings; /* what was asked for and is not heeded, a sentence each that names the field */
	size_t warnings_count;
};

struct kubelet_config_source {
	const char *const *args; /* "NAME=VALUE" or "NAME", dashes before it allowed: kubelet's flags */
	size_t args_count;
	const char *drop_in_dir; /* its *.conf files, in order of their names; NULL or not there: none */
};

/* Defaults, then the file that `config=FILE` among the arguments names, then the drop-in folder, then the arguments.
 * Errors name the file or the argument, the field and what would be right: ERR_INVAL; ERR_UNIMPLEMENTED of arguments
 * that are no kubelet's or have a flag of our own; ERR_IO of files. Blocks for the files. On errors *ret is released.
 */
int kubelet_config_load(const struct kubelet_config_source *from, struct kubelet_config *ret, struct err *err);
void kubelet_config_release(struct kubelet_config *c);

/* One document (YAML or JSON) checked and merged over what is there; `where` names it in errors. For tests and fuzzers
 * too; kubelet_config_load() calls it for each file. */
int kubelet_config_merge(struct arena *a, struct json *into, const char *where, struct slice text, struct err *err);

/* Fields by their names. They must be in the table and of that type. */
int64_t kubelet_config_int(const struct kubelet_config *c, const char *field);
bool kubelet_config_bool(const struct kubelet_config *c, const char *field);
int64_t kubelet_config_ms(const struct kubelet_config *c, const char *field); /* of durations */
const char *kubelet_config_text(const struct kubelet_config *c, const char *field, struct arena *a);
const struct json *kubelet_config_get(const struct kubelet_config *c, const char *field);
bool kubelet_config_gate(const struct kubelet_config *c, const char *gate); /* of those that are heeded */

#endif
