/* Compaction: the store forgets what is older than an interval, as kube-apiserver has etcd do it every five minutes.
 *
 * Every interval the store's revision is noted, and everything superseded before the one noted last time may go. So a
 * continue token or an exact resourceVersion is good for one interval at least, then its answer is 410. The cache is
 * not touched: it needs no history. */
#include "api/server/duties/duty_int.h"

#include "base/check.h"

struct compaction {
	struct duty_run *run;
	struct store_request request;
	int64_t noted; /* revision of the last run */
};

static void done(struct store_request *req)
{
	struct compaction *k = CONTAINER_OF(req, struct compaction, request);
	struct err err = req->err;
	store_request_release(req);
	if (err.code == ERR_COMPACTED) /* by somebody else */
		err = ERR_INIT;
	duty_done(k->run, &err);
}

void compaction_run(struct duty_run *r)
{
	struct compaction *k = r->state ? r->state : (r->state = xcalloc(1, sizeof *k));
	bool is_first = !k->run;
	int64_t upto = k->noted;
	k->run = r;
	k->noted = store_revision(r->server->store);
	k->request = (struct store_request){.type = STORE_REQUEST_COMPACT, .loop = r->server->loop, .done = done};
	k->request.revision_arg = upto;
	if (is_first || upto <= 1) /* nothing was noted yet: ask for something that answers */
		k->request.type = STORE_REQUEST_BARRIER;
	store_submit(r->server->store, &k->request);
}
