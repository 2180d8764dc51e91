/* A shared log in an etcd cluster. See etcd_log.c. */
#ifndef K3X_STORE_ENGINE_ETCD_ETCD_LOG_H
#define K3X_STORE_ENGINE_ETCD_ETCD_LOG_H

#include "store/engine/shared_log.h"
#include "store/engine/sql/dsn.h"

/* Not connected; what is passed is copied. ERR_INVAL; what is wrong with the files. */
int etcd_log_open(const struct dsn *dsn, const struct dsn_tls *tls, struct shared_log **ret, struct err *err);

#endif
