/* The audit webhook backend: events are sent in batches, as an EventList, to where a kubeconfig file says.
 *
 * A batch goes when it is full or its first event has waited long enough, and no more often than the throttle lets it.
 * A webhook that does not answer, or answers 429 or 5xx, is tried again four times, each pause half as long again.
 * Events wait in memory, so many and so many bytes of them (AUDIT_PENDING_BYTES_MAX); what comes when that is full, and
 * what could not be brought, is lost, counted and told. No request waits. API loop. */
#ifndef K3X_API_SERVER_AUDIT_AUDIT_WEBHOOK_H
#define K3X_API_SERVER_AUDIT_AUDIT_WEBHOOK_H

#include "api/server/audit/options.h"
#include "base/wire/outgoing.h"

struct audit_webhook;

/* The pool outlives it. ERR_INVAL: the file, or a setting. */
int audit_webhook_new(struct loop *loop, struct outgoing_pool *pool, const struct audit_options *options,
        struct audit_webhook **ret, struct err *err);
/* One event, without a line end. */
void audit_webhook_add(struct audit_webhook *w, struct slice event);
/* Events that were lost. */
uint64_t audit_webhook_lost(const struct audit_webhook *w);
/* What waits is sent once, without pauses, within AUDIT_LAST_MS_MAX; then `closed` is called, never from inside. What
 * is added after this is lost; the memory is there until audit_webhook_free(). */
void audit_webhook_close(struct audit_webhook *w, void (*closed)(void *arg), void *arg);
void audit_webhook_free(struct audit_webhook *w); /* closed; NULL is allowed */

#endif
