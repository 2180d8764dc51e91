/* From a request body's tree to a checked object, as upstream's typed decoding does it.
 *
 *     decode_problems_init(&problems, arena);
 *     tree = json_parse(arena, body, &(struct json_parse_options){decode_on_duplicate, &problems}, err);
 *     if (!tree || decode_object(arena, tree, type, 0, &problems, err) != 0)
 *             ... 400: "%s in version \"%s\" cannot be handled as a %s: " before the message
 *     if (decode_problems_judge(&problems, DECODE_STRICT, err) != 0)
 *             ... 400, same prefix: strict decoding error: unknown field "spec.foo"
 *
 * YAML bodies come through yaml_parse(), protobuf bodies through transcode_from_protobuf(); both give the same tree. */
#ifndef K3X_API_MACHINERY_CODEC_DECODE_H
#define K3X_API_MACHINERY_CODEC_DECODE_H

#include "api/machinery/schema/schema.h"
#include "base/err.h"
#include "base/json/json.h"

enum decode_validation { DECODE_IGNORE, DECODE_WARN, DECODE_STRICT };

/* "Ignore", "Warn", "Strict", "" (Warn). ERR_INVAL with upstream's words for all else. */
int decode_validation_parse(struct slice text, enum decode_validation *out, struct err *err);

/* Unknown and duplicate fields found in one body, as upstream words them, in the arena it was made with. More than a
 * hundred are counted and not kept. */
struct decode_problems {
	struct arena *arena;
	const char **texts; /* "unknown field \"spec.foo\"", ... in the order of the document, once it is judged */
	struct decode_problem *items;
	size_t count;
	size_t cap;
	size_t dropped;
};

void decode_problems_init(struct decode_problems *p, struct arena *a);
void decode_on_duplicate(void *problems, const char *path, size_t offset); /* for struct json_parse_options */
/* Once, when parsing and decoding are done. Strict: ERR_INVAL "strict decoding error: ..." when there are any. Else 0
 * (Warn: send texts as Warning headers). */
int decode_problems_judge(struct decode_problems *p, enum decode_validation validation, struct err *err);

enum decode_flag {
	/* Server-side apply and patches: check and drop unknown fields, but neither drop zero values nor add the
	 * members Go always writes, and keep nulls. */
	DECODE_KEEP_SHAPE = 1,
	/* Custom resources: values of wrong types are left alone, as their schema is validated elsewhere. Metadata is
	 * still checked and brought to Go's form. */
	DECODE_LENIENT = 2,
};

/* Checks `tree` against the type and brings it to the form Go would write back: unknown fields out, scalars checked and
 * canonical (quantities, times), nulls and zero values of omitempty fields dropped, members in Go's order, and what has
 * no omitempty present ("status": {}, "containers": null). In place, new nodes from the arena; tree must be an object.
 * `problems` may be NULL. On an error the tree is no longer whole and must be dropped; ERR_INVAL with upstream's words:
 *     json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32 */
int decode_object(struct arena *a, struct json *tree, const struct schema_type *type, unsigned flags,
        struct decode_problems *problems, struct err *err);

/* The second half alone, for objects we composed or patched ourselves: never fails, leaves wrong types as they are. */
void decode_normalise(struct arena *a, struct json *tree, const struct schema_type *type);

#endif
