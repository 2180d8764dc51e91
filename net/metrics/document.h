/* What is said of metrics.k8s.io/v1beta1: objects, lists and tables of what is used, and the documents by which clients
 * find it. Appends to a buffer; no state, any thread. */
#ifndef K3X_NET_METRICS_DOCUMENT_H
#define K3X_NET_METRICS_DOCUMENT_H

#include "net/metrics/samples.h"

/* One object: of a pod with its containers, of a node with one, unnamed. */
struct document_item {
	struct slice ns, name; /* ns: empty for a node */
	struct slice labels;   /* raw JSON object; may be SLICE_NULL */
	const char *const *names;
	const struct samples_usage *usages;
	size_t n;
};

enum document_form { DOCUMENT_OBJECTS, DOCUMENT_TABLE };

void document_object(struct strbuf *out, const struct document_item *item, int64_t now_s);

/* A list: its beginning, items, its end. A table says in its rows of each object all (include_object "Object"), its
 * metadata ("Metadata") or nothing ("None"). */
struct document_list {
	struct strbuf *out;
	enum document_form form;
	bool is_of_pods, is_first;
	struct slice include_object;
	int64_t now_s;
};
void document_list_begin(struct document_list *l);
void document_list_add(struct document_list *l, const struct document_item *item);
void document_list_end(struct document_list *l);

/* "15.02s", "1m0.5s": a duration as Go writes it. */
void document_duration(struct strbuf *out, int64_t ms);

/* By path ("/apis", "/apis/metrics.k8s.io", .../v1beta1, "/openapi/v3", ...); NULL: there is none. */
const char *document_of_path(struct slice path);

#endif
