/* Asks every node's kubelet what is used there, each in its own rhythm. On one loop. */
#ifndef K3X_NET_METRICS_SCRAPER_H
#define K3X_NET_METRICS_SCRAPER_H

#include "base/rt/loop.h"
#include "net/metrics/known.h"
#include "net/metrics/samples.h"

struct tls_context;
struct scraper;

struct scraper_options {
	struct loop *loop;
	struct samples *samples;
	struct tls_context *tls;        /* whom to believe to be a kubelet, and who we are; a reference is taken */
	const char *token, *token_file; /* who we are, by a token; NULL: by the certificate. The file may change */
	const char *address_types;      /* "InternalIP,ExternalIP,Hostname" */
	unsigned resolution_ms;         /* between two scrapes of a node */
};

struct scraper_counts {
	uint64_t done, failed, bytes;
	uint64_t last_ok_ms; /* loop's time; 0: none yet */
};

/* Strings live as long as the scraper. */
struct scraper *scraper_new(const struct scraper_options *options);
void scraper_close(struct scraper *s, void (*closed)(void *arg), void *arg);

/* A node is there, at its address of now; is gone: its samples go. */
void scraper_set_node(struct scraper *s, struct slice name, const struct informer_object *node);
void scraper_drop_node(struct scraper *s, struct slice name);

const struct scraper_counts *scraper_counts(const struct scraper *s);
/* Every node was asked at least once. */
bool scraper_is_warm(const struct scraper *s);

#endif
