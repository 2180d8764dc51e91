/* Configuration files of kube-apiserver's own API (apiserver.config.k8s.io): read strictly, checked by field. Any
 * thread. */
#ifndef K3X_API_SERVER_AUTH_CONFIG_TEXT_H
#define K3X_API_SERVER_AUTH_CONFIG_TEXT_H

#include "api/machinery/rules/field_errors.h"
#include "base/json/json.h"

/* Largest file that is read. */
enum { CONFIG_TEXT_BYTES_MAX = 1024 * 1024 };

/* The tree of a file's text (YAML or JSON) that is of that kind, in one of the versions ("v1,v1beta1"). ERR_INVAL. */
struct json *config_text_parse(
        struct arena *a, struct slice text, const char *kind, const char *versions, struct err *err);

/* v is an object that has no other members than these (commas between); NULL is fine, too. */
void config_check_object(struct field_errors *e, const struct json *v, const char *here, const char *names);
/* Members that must be texts, or lists, where they are there. */
void config_check_type(
        struct field_errors *e, const struct json *v, const char *here, const char *name, enum json_type type);
/* All that is wrong as one error, as upstream's aggregate: ERR_INVAL; 0 when there is nothing. */
int config_errors_tell(const struct field_errors *e, struct err *err);

#endif
