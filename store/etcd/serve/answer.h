/* The parts that many answers have. */
#ifndef K3X_STORE_ETCD_SERVE_ANSWER_H
#define K3X_STORE_ETCD_SERVE_ANSWER_H

#include "store/etcd/serve/service.h"

Etcdpb__ResponseHeader *etcd_header(struct etcd_service *s, struct arena *a, int64_t revision);
Etcdpb__KeyValue *etcd_kv(struct arena *a, const struct store_kv *kv);

/* Both, one behind the other, whatever bytes they are. */
struct slice slice_join(struct arena *a, struct slice x, struct slice y);

#endif
