/* Calls in numbers, for /metrics. See counts.c. */
#ifndef K3X_STORE_ETCD_SERVE_COUNTS_H
#define K3X_STORE_ETCD_SERVE_COUNTS_H

#include "store/etcd/serve/method.h"

struct etcd_counts;

struct etcd_counts *etcd_counts_new(void); /* free() it */
void etcd_count_started(struct etcd_counts *c, const struct etcd_method *m);
/* A message; grpc_bytes 0: it came or went as JSON. */
void etcd_count_received(struct etcd_counts *c, const struct etcd_method *m, size_t grpc_bytes);
void etcd_count_sent(struct etcd_counts *c, const struct etcd_method *m, size_t grpc_bytes);
/* begun_ns 0: a stream, whose time says nothing. */
void etcd_count_handled(struct etcd_counts *c, const struct etcd_method *m, int status, uint64_t begun_ns);
void etcd_counts_write(const struct etcd_counts *c, struct strbuf *out);

#endif
