/* The audit log backend: lines are handed over on the API loop and written by a thread of the pool.
 *
 * No request ever waits for the disk. Lines gather in memory while a write is under way, up to AUDIT_PENDING_BYTES_MAX;
 * what comes when that is full is lost, counted (apiserver_audit_error_total) and told in the server's log, and so is
 * what cannot be written. API loop. */
#ifndef K3X_API_SERVER_AUDIT_AUDIT_LOG_H
#define K3X_API_SERVER_AUDIT_AUDIT_LOG_H

#include "api/server/audit/log_file.h"
#include "base/rt/loop.h"
#include "base/rt/pool.h"

struct audit_log;

/* The options' texts are borrowed and outlive it, as does the pool. Opens the file. */
int audit_log_new(struct loop *loop, struct pool *pool, const struct log_file_options *options, struct audit_log **ret,
        struct err *err);
/* One event, with its line end. */
void audit_log_add(struct audit_log *l, struct slice line);
/* Lines that were lost. */
uint64_t audit_log_lost(const struct audit_log *l);
/* What is there is written first. The memory is gone when `closed` is called, never from inside. */
void audit_log_close(struct audit_log *l, void (*closed)(void *arg), void *arg);

#endif
