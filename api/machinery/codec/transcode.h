/* Kubernetes protobuf to JSON and back, by the schema tables.
 *
 * A message on the wire is the magic "k8s\0", then runtime.Unknown {typeMeta, raw, contentEncoding, contentType} with
 * the typed message in raw. Custom resources have no protobuf form. Wire format: protobuf encoding, proto2. Unknown
 * field numbers are skipped; depth and lengths are bounded. Any thread. */
#ifndef K3X_API_MACHINERY_CODEC_TRANSCODE_H
#define K3X_API_MACHINERY_CODEC_TRANSCODE_H

#include "api/machinery/schema/schema.h"
#include "base/err.h"
#include "base/json/json.h"

#define TRANSCODE_CONTENT_TYPE "application/vnd.kubernetes.protobuf"

/* Whether the bytes begin with the magic. */
bool transcode_is_protobuf(struct slice body);

/* Decodes an enveloped body: the tree has apiVersion and kind (from the envelope) and is in decode_object()'s form.
 * `type` NULL: found by the envelope's apiVersion and kind; given: the body is read as that type, whatever the envelope
 * says. `type_out` may be NULL. NULL with ERR_INVAL that names what is wrong. */
struct json *transcode_from_protobuf(struct arena *a, struct slice body, const struct schema_type *type,
        const struct schema_type **type_out, struct err *err);

/* Appends the enveloped protobuf form of one object's or list's JSON text. The type is found by its apiVersion and
 * kind. ERR_NOT_ACCEPTABLE when that kind has no protobuf form (custom resources), ERR_INVAL when the text does not fit
 * it. On errors `out` is as it was. */
int transcode_to_protobuf(struct strbuf *out, struct slice json_text, struct err *err);
int transcode_tree_to_protobuf(struct strbuf *out, const struct json *object, struct err *err);

/* Appends one frame of a protobuf watch stream (";stream=watch"): four bytes of big-endian length, then a WatchEvent
 * whose object is enveloped. `event` is "ADDED", "MODIFIED", "DELETED", "BOOKMARK" or "ERROR". Errors as above. */
int transcode_watch_frame(struct strbuf *out, const char *event, struct slice object_json, struct err *err);

/* Without the envelope: one bare message of `type`. For tests and embedded values. */
struct json *transcode_message_decode(
        struct arena *a, struct slice bytes, const struct schema_type *type, struct err *err);
int transcode_message_encode(
        struct strbuf *out, const struct json *object, const struct schema_type *type, struct err *err);

#endif
