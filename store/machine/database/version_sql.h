/* Versions as a table for SQL. See version_sql.c. */
#ifndef K3X_STORE_MACHINE_DATABASE_VERSION_SQL_H
#define K3X_STORE_MACHINE_DATABASE_VERSION_SQL_H

#include "store/machine/database/db.h"

/* Gives the connection a table `rev` (id, key, prev, created, version, lease, value): every kept version, in order of
 * their ids. It is read only. `db` must outlive its handle. */
int version_sql_register(struct db *db, struct err *err);

#endif
