/* Maintenance: Hash and HashKV. */
#include "store/etcd/calls/hash.h"

#include "store/etcd/serve/answer.h"
#include "store/etcd/serve/call.h"

static void hash_done(struct etcd_call *c)
{
	Etcdpb__HashKVResponse m = ETCDPB__HASH_KVRESPONSE__INIT;
	if (c->request.err.code) {
		etcd_reply_store_err(c, &c->request);
		return;
	}
	m.header = etcd_header(c->service, &c->arena, c->request.revision);
	m.hash = c->request.hash;
	if (!c->request.hash_leases) { /* Hash answers with these two fields alone */
		m.compact_revision = c->request.compacted_revision;
		m.hash_revision = c->request.revision_arg ? c->request.revision_arg : c->request.revision;
	}
	etcd_reply(c, &m.base);
}

void etcd_hash_kv(struct etcd_call *c, struct slice message)
{
	LOOP_CHECK_OWNER(c->service->loop);
	Etcdpb__HashKVRequest *r = etcd_unpack(c, &etcdpb__hash_kvrequest__descriptor, message);
	if (!r)
		return;
	c->request.type = STORE_REQUEST_HASH;
	c->request.revision_arg = r->revision;
	etcd_submit(c, hash_done);
}

void etcd_hash(struct etcd_call *c, struct slice message)
{
	LOOP_CHECK_OWNER(c->service->loop);
	c->request.type = STORE_REQUEST_HASH;
	c->request.hash_leases = true;
	etcd_submit(c, hash_done);
}
