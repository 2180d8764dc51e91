/* What k3s keeps in a PostgreSQL or MySQL (kine's table), read. See kine_db.c. Blocks; any thread. */
#ifndef K3X_STORE_ENGINE_SQL_KINE_DB_H
#define K3X_STORE_ENGINE_SQL_KINE_DB_H

#include "store/engine.h"
#include "store/engine/sql/dsn.h"

/* The name with the database that k3s takes when it has none, in the arena. */
const char *kine_db_name(struct arena *a, const char *endpoint);

/* Calls `row` with every key that lives, in the order of their last changes, all of one moment; the bytes are valid
 * during the call, which ends all of it with an error. *ret_revision: the newest. ERR_INVAL: the name, or no such
 * table; ERR_UNIMPLEMENTED: the client library is not installed; ERR_UNAVAILABLE, ERR_UNAUTHENTICATED, ERR_FORBIDDEN;
 * ERR_CORRUPT. Nothing is changed there. */
int kine_db_each(const char *endpoint, const struct dsn_tls *tls,
        int (*row)(void *arg, const struct store_kv *kv, struct err *err), void *arg, int64_t *ret_revision,
        struct err *err);

#endif
