/* What a pod's spec says of the nodes it can run on: node selector, required node affinity, tolerations. Shared by the
 * scheduler and the daemon set controller, so that both always agree about a node. Reads trees and raw spans, keeps
 * nothing. Any thread. */
#ifndef K3X_API_MACHINERY_SCHEMA_NODE_SELECTOR_H
#define K3X_API_MACHINERY_SCHEMA_NODE_SELECTOR_H

#include "base/json/json.h"

/* A v1.NodeSelectorTerm against a node's name and the raw text of its labels ("{...}"; SLICE_NULL: none). A term
 * without expressions and fields matches nothing. */
bool node_selector_term_matches(const struct json *term, struct slice name, struct slice labels);
/* A list of terms, of which one must match; an empty or absent list matches nothing. */
bool node_selector_terms_match(const struct json *terms, struct slice name, struct slice labels);
/* spec.nodeSelector: an object of strings, all of which the node has. NULL: everything matches. */
bool node_selector_labels_match(const struct json *selector, struct slice labels);

/* Whether a v1.Toleration covers a taint; an empty effect is that of a taint without one. */
bool toleration_covers(const struct json *toleration, struct slice key, struct slice value, struct slice effect);

#endif
