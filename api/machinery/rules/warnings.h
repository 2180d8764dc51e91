/* What a client is told of an object that is accepted all the same: what upstream's GetWarningsFor... functions tell,
 * in its words. They hang on the kinds' rows (struct kind_ops: warn). Pure, any thread. They run with every
 * write: where there is nothing to tell next to nothing is allocated. */
#ifndef K3X_API_MACHINERY_RULES_WARNINGS_H
#define K3X_API_MACHINERY_RULES_WARNINGS_H

#include "api/machinery/schema/resources.h"
#include "base/json/json.h"

enum { KIND_WARNINGS_MAX = 16 };

struct warnings {
	struct arena *arena;
	const char *items[KIND_WARNINGS_MAX];
	size_t count; /* what is beyond the limit is not told */
};

void warnings_init(struct warnings *w, struct arena *a);
/* Once, however often the same is told. */
__attribute__((format(printf, 2, 3))) void warning_add(struct warnings *w, const char *fmt, ...);
static inline bool warnings_are_full(const struct warnings *w)
{
	return w->count == KIND_WARNINGS_MAX;
}

/* Of an object that was found valid; `old` NULL: a creation. sub: "" or the subresource that is written, of which there
 * is nothing to tell. */
void object_warnings(struct warnings *w, const struct resource *r, const struct json *object, const struct json *old,
        const char *sub);

/* ---- for the files of the groups ---- */

/* Whether the spec is another than before; a creation's is. */
bool is_new_spec(const struct json *object, const struct json *old);
/* What is wrong with the label of a node that came before another; NULL: it is none of those. */
const char *old_node_label(struct slice key);
/* Terms of a selector of nodes, at `field`, that name such labels. */
void warn_of_node_term(struct warnings *w, const char *field, const struct json *term);
/* Whether the amount of this resource is no whole number of bytes; and the word for it, `field` being that of all
 * amounts
 * ("spec.resources.requests"). */
bool has_fraction(const struct json *amounts, const char *resource);
void warn_of_fraction(struct warnings *w, const char *field, const struct json *amounts, const char *resource);
/* The spec of a claim at `field`, "spec". */
void warn_of_claim_spec(struct warnings *w, const char *field, const struct json *spec);

#endif
