/* What plugins were told, by the arguments of the server and their configuration file. */
#ifndef K3X_API_SERVER_ADMISSION_CONFIG_INT_H
#define K3X_API_SERVER_ADMISSION_CONFIG_INT_H

#include "api/machinery/rules/pod/pod_security.h"
#include "base/json/json.h"

enum { ADMISSION_PLUGINS_MAX = 48 };

struct event_limits;

struct admission_config {
	struct arena arena;
	bool is_on[ADMISSION_PLUGINS_MAX]; /* by the rows of admission.c */
	/* PodSecurity */
	bool has_defaults;
	struct pod_security_policy defaults;
	const struct json *exempt_users, *exempt_namespaces, *exempt_runtime_classes; /* lists of texts; NULL: none */
	const struct json *node_selectors; /* PodNodeSelector: clusterDefaultNodeSelector, namespaces; NULL: none */
	const struct json *tolerations;    /* PodTolerationRestriction: default, whitelist; NULL: none */
	const struct json *limited;        /* ResourceQuota: what is used with a quota for it alone; NULL: nothing */
	struct event_limits *events;       /* EventRateLimit; NULL: none */
};

/* Reads an AdmissionConfiguration and the files that it names. path NULL: there is none. ERR_INVAL names the file, the
 * plugin and the field. */
int admission_config_read(struct admission_config *c, const char *path, struct err *err);
/* The same of a text; folder: what files in it are relative to. */
int admission_config_parse(struct admission_config *c, struct slice text, const char *folder, struct err *err);

/* What it holds; the struct is its owner's (admission_config_free() of admission.h frees both). */
void admission_config_release(struct admission_config *c);

/* event_rate_limit.c: of its section. */
int event_limits_new(const struct json *configuration, struct event_limits **ret, struct err *err);
void event_limits_free(struct event_limits *l); /* NULL is allowed */

/* Is the text in the list? */
bool config_lists(const struct json *list, struct slice text);

#endif
