/* See hold.h. A lease of its own bounds the stop: it is granted first, and the setting is made on the condition that
 * there was none and that nothing else of the system has changed since; who is lost in between leaves a lease that runs
 * out. While it is held the system's version can't change but by its end, so the version is what tells, in one command,
 * that nothing was written since. */
#include "tools/store/hold.h"

#include "store/ask.h"
#include "tools/store/source.h"

#include <inttypes.h>
#include <stdio.h>

static int grant(struct engine *e, int64_t seconds, int64_t *ret, struct err *err)
{
	struct store_question q = {.req = {.type = STORE_REQUEST_LEASE_GRANT, .lease.ttl_s = seconds}};
	if (store_ask(e, &q) != 0)
		*err = q.req.err;
	*ret = q.req.lease.id;
	store_request_release(&q.req);
	return err->code;
}

/* The system's version, while no hold is there. */
static int look(struct engine *e, int64_t *ret_version, struct err *err)
{
	struct store_question q = {.req = {.type = STORE_REQUEST_SYSTEM_READ, .system.prefix = SLICE(STORE_HOLD_KEY)}};
	if (store_ask(e, &q) != 0)
		*err = q.req.err;
	for (size_t i = 0; !err->code && i < q.req.system.n_entries; i++)
		if (slice_is(q.req.system.entries[i].key, STORE_HOLD_KEY))
			err_set(err, ERR_CONFLICT, "writes are held back already: another migration runs, or has been");
	*ret_version = q.req.system.version;
	store_request_release(&q.req);
	return err->code;
}

/* why NULL: it goes. */
static int set(struct engine *e, int64_t expect, int64_t lease, const char *why, int64_t *ret_version, struct err *err)
{
	char text[STORE_HOLD_ID_DIGITS + STORE_HOLD_WHY_MAX + 2];
	int n = snprintf(text, sizeof text, "%016" PRIx64 " %s", (uint64_t)lease, why ? why : "");
	if (n >= (int)sizeof text)
		n = (int)sizeof text - 1;
	struct store_system_entry x = {
	        .key = SLICE(STORE_HOLD_KEY), .value = {text, (size_t)n}, .is_delete = why == NULL};
	struct store_question q = {.req = {.type = STORE_REQUEST_SYSTEM,
	                                   .system = {.expect_version = expect, .changes = &x, .n_changes = 1}}};
	if (store_ask(e, &q) != 0)
		*err = q.req.err;
	if (ret_version)
		*ret_version = q.req.system.version;
	store_request_release(&q.req);
	return err->code;
}

int store_hold_begin(struct engine *e, int64_t seconds, struct store_hold *ret, struct err *err)
{
	int64_t version;
	*ret = (struct store_hold){0};
	if (look(e, &version, err) != 0 || grant(e, seconds, &ret->lease, err) != 0)
		return err->code;
	int rc = set(e, version, ret->lease, "the cluster is being moved to another datastore, try again in a moment",
	        &ret->version, err);
	if (rc != 0)
		store_hold_end(e, ret, &(struct err){0});
	return rc;
}

int store_hold_end(struct engine *e, const struct store_hold *h, struct err *err)
{
	struct store_question q = {.req = {.type = STORE_REQUEST_LEASE_REVOKE, .lease.id = h->lease}};
	if (store_ask(e, &q) != 0 && q.req.err.code != ERR_NOT_FOUND)
		*err = q.req.err;
	store_request_release(&q.req);
	return err->code;
}

int store_hold_for_good(struct engine *e, const struct store_hold *h, const char *why, struct err *err)
{
	if (set(e, h->version, 0, why, NULL, err) == ERR_CONFLICT)
		err_set(err, ERR_CONFLICT, "the write stop ended before all was moved");
	return err->code;
}

int store_hold_undo(struct engine *e, struct err *err)
{
	return set(e, STORE_SYSTEM_ANY, 0, NULL, NULL, err);
}
