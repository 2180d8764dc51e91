/* Shared by the files that read directives: words with their place, numbers, durations, zones. */
#ifndef K3X_NET_DNS_CONF_CONF_INT_H
#define K3X_NET_DNS_CONF_CONF_INT_H

#include "net/dns/conf/conf.h"

struct reading {
	struct conf *conf;
	struct conf_block *block;
	struct arena *arena;
	const struct corefile_source *source;
	struct err *err;
};

/* All return 0 or the error that they set. Words are counted from 0, the directive itself. */
int conf_words(struct reading *r, const struct corefile_line *l, size_t min, size_t max); /* arguments */
int conf_no_block(struct reading *r, const struct corefile_line *l);
int conf_number(
        struct reading *r, const struct corefile_line *l, size_t word, uint64_t min, uint64_t max, uint64_t *ret);
/* "30s"; a number alone is seconds when `bare` says so. */
int conf_duration(
        struct reading *r, const struct corefile_line *l, size_t word, bool bare, uint64_t max_ms, uint64_t *ret_ms);
/* The words from `first` on as names; none: those of the server block. "10.0.0.0/24" is a reverse zone. */
int conf_zones_read(struct reading *r, const struct corefile_line *l, size_t first, struct conf_zones *ret);
int conf_zone_name(struct reading *r, const struct corefile_line *l, const char *text, struct dns_name *ret);
int conf_fall_read(struct reading *r, const struct corefile_line *l, struct conf_fall *ret);
int conf_unknown(struct reading *r, const struct corefile_line *l, const char *of);

/* The directives; `arg` is the line. */
int conf_kubernetes_read(struct reading *r, const struct corefile_line *l);
int conf_hosts_read(struct reading *r, const struct corefile_line *l);
int conf_forward_read(struct reading *r, const struct corefile_line *l);
int conf_cache_read(struct reading *r, const struct corefile_line *l);
int conf_rewrite_read(struct reading *r, const struct corefile_line *l);

/* "10.0.0.1", "10.0.0.1:5353", "[fd00::1]:53", "fd00::1": false when it is none. */
bool conf_address(struct arena *a, const char *text, int default_port, struct conf_upstream *ret);

#endif
