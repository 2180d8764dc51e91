/* Label and field selectors: parsed once per request, matched against object texts without building trees.
 *
 * Grammar of label selectors: k8s.io/apimachinery/pkg/labels (equality and set-based requirements joined by commas, all
 * of which must hold). Field selectors know =, == and != only. Selectors live in an arena. Any thread. */
#ifndef K3X_API_MACHINERY_SCHEMA_SELECTOR_H
#define K3X_API_MACHINERY_SCHEMA_SELECTOR_H

#include "base/err.h"
#include "base/json/json.h"

enum selector_op {
	SELECTOR_IN,     /* also = and == */
	SELECTOR_NOT_IN, /* also !=; holds when the label is absent */
	SELECTOR_EXISTS,
	SELECTOR_ABSENT,
	SELECTOR_GREATER,
	SELECTOR_LESS,
};

struct selector_requirement {
	struct slice key;
	enum selector_op op;
	struct slice *values;
	size_t count;
};

struct label_selector {
	struct selector_requirement *requirements;
	size_t count; /* 0: everything matches */
};

/* "app=web,tier in (a,b),!x,y". ERR_INVAL names the place. */
int label_selector_parse(struct arena *a, struct slice text, struct label_selector *out, struct err *err);

/* A metav1.LabelSelector object {"matchLabels":{},"matchExpressions":[]}. NULL or JSON null matches nothing (sets
 * *matches_nothing), {} everything. */
int label_selector_from_json(
        struct arena *a, const struct json *v, struct label_selector *out, bool *matches_nothing, struct err *err);

/* Against the raw text of a labels object, "{...}"; SLICE_NULL means no labels. */
bool label_selector_matches(const struct label_selector *s, struct slice labels_json);
/* Against a tree: an object of strings, or NULL. */
bool label_selector_matches_tree(const struct label_selector *s, const struct json *labels);

struct field_requirement {
	struct slice field; /* "status.phase" */
	struct slice value; /* unescaped */
	bool negated;
};

struct field_selector {
	struct field_requirement *requirements;
	size_t count;
};

/* "metadata.name=x,status.phase!=Running"; backslash escapes of ',', '=' and '\' are taken out. */
int field_selector_parse(struct arena *a, struct slice text, struct field_selector *out, struct err *err);

#endif
