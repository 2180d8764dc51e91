/* A shared log in an SQL database. See sql_log.c. */
#ifndef K3X_STORE_ENGINE_SQL_SQL_LOG_H
#define K3X_STORE_ENGINE_SQL_SQL_LOG_H

#include "store/engine/shared_log.h"
#include "store/engine/sql/dsn.h"

/* Not connected; what is passed is copied. ERR_INVAL, ERR_UNIMPLEMENTED: the client library is not installed. */
int sql_log_open(const struct dsn *dsn, const struct dsn_tls *tls, struct shared_log **ret, struct err *err);

#endif
