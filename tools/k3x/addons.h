/* The add-ons that come inside the binary: which there are, what --disable means by their names, and laying them out
 * into DATA/server/manifests, where the deploy controller finds them. */
#ifndef K3X_TOOLS_K3X_ADDONS_H
#define K3X_TOOLS_K3X_ADDONS_H

#include "tools/k3x/server_settings.h"

struct addon_file {
	const char *name;
	const char *text, *end;
};

/* Made at build time of the files in tools/k3x/addons; ends with name NULL. */
extern const struct addon_file addon_files[];

/* What --disable says becomes s->addons_off: names of packaged add-ons, synonyms resolved. ERR_INVAL: no component is
 * called so. */
int addons_choose(struct server_settings *s, const struct addon_file *files, struct err *err);

/* Writes them, those that are left out are removed, and files that are as they should be are not
 * touched; X.yaml.skip keeps X.yaml from being written. */
int addons_lay_out(struct server_settings *s, const struct addon_file *files, struct err *err);

/* Appends the text with its %{VARIABLES}% filled in. ERR_INVAL names one that nobody knows. */
int addons_fill_in(struct server_settings *s, struct slice text, struct strbuf *out, struct err *err);

#endif
