/* What --datastore-endpoint names. No state, any thread. See dsn.c. */
#ifndef K3X_STORE_ENGINE_SQL_DSN_H
#define K3X_STORE_ENGINE_SQL_DSN_H

#include "base/err.h"
#include "base/mem/arena.h"
#include "base/mem/str.h"

enum dsn_kind { DSN_POSTGRES, DSN_MYSQL, DSN_ETCD };

struct dsn_parameter {
	const char *name, *value; /* decoded */
};

struct dsn {
	enum dsn_kind kind;
	const char *text; /* as it was given, with the passwords in it */
	/* MYSQL: decoded; "" and 0: not said */
	const char *user, *password, *host, *socket, *database;
	int port;
	struct dsn_parameter *parameters;
	size_t n_parameters;
	/* ETCD: URLs */
	const char **endpoints;
	size_t n_endpoints;
};

/* Files in PEM; NULL: none. */
struct dsn_tls {
	const char *ca_file, *certificate_file, *key_file;
};

/* Everything in the arena. ERR_INVAL says what is wrong, without the password. */
int dsn_parse(struct arena *a, const char *text, struct dsn *ret, struct err *err);

/* For logs: passwords are ***. */
const char *dsn_redact(struct arena *a, const char *text);

#endif
