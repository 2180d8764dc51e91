/* YAML in and out of JSON trees, as Kubernetes tools use it (sigs.k8s.io/yaml: YAML is another spelling of JSON).
 *
 * Plain scalars become null, booleans and numbers by YAML 1.1's core rules (what kubectl's parser does), all else are
 * strings. Keys must be scalars. Anchors and aliases are followed with a bound on the expanded size; tags other than
 * the core ones are refused. Any thread; the tree lives in the arena. */
#ifndef K3X_BASE_YAML_H
#define K3X_BASE_YAML_H

#include "base/json/json.h"

/* The single document in `text`, NULL with ERR_INVAL and "line N: what". An empty text is JSON null. */
struct json *yaml_parse(struct arena *a, struct slice text, const struct json_parse_options *opts, struct err *err);

/* All documents of a "---" stream, as a JSON array; empty documents are left out. */
struct json *yaml_parse_all(struct arena *a, struct slice text, const struct json_parse_options *opts, struct err *err);

/* Block style, keys in tree order, strings quoted only where needed. */
void yaml_write(struct strbuf *out, const struct json *v);

#endif
