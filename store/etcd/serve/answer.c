/* The parts that many answers have: the header, and pairs. */
#include "store/etcd/serve/answer.h"

#include "store/proto/unpack.h"

Etcdpb__ResponseHeader *etcd_header(struct etcd_service *s, struct arena *a, int64_t revision)
{
	Etcdpb__ResponseHeader *h = arena_alloc(a, sizeof *h);
	etcdpb__response_header__init(h);
	h->cluster_id = s->options.cluster_id;
	h->member_id = s->options.member_id;
	h->revision = revision;
	h->raft_term = raft_engine_term(s->raft);
	return h;
}

Etcdpb__KeyValue *etcd_kv(struct arena *a, const struct store_kv *kv)
{
	Etcdpb__KeyValue *v = arena_alloc(a, sizeof *v);
	etcdpb__key_value__init(v);
	v->key = etcd_bytes(kv->key);
	v->value = etcd_bytes(kv->value);
	v->create_revision = kv->create_revision;
	v->mod_revision = kv->mod_revision;
	v->version = kv->version;
	v->lease = kv->lease;
	return v;
}

struct slice slice_join(struct arena *a, struct slice x, struct slice y)
{
	char *bytes = arena_alloc(a, x.len + y.len + 1);
	if (x.len)
		memcpy(bytes, x.ptr, x.len);
	if (y.len)
		memcpy(bytes + x.len, y.ptr, y.len);
	bytes[x.len + y.len] = 0;
	return (struct slice){bytes, x.len + y.len};
}
