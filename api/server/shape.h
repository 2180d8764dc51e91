/* The forms an object can be asked for in. */
#ifndef K3X_API_SERVER_SHAPE_H
#define K3X_API_SERVER_SHAPE_H

#include "api/machinery/schema/resources.h"
#include "base/mem/rcbuf.h"

enum call_format { FORMAT_JSON, FORMAT_YAML, FORMAT_PROTOBUF };
enum call_shape { SHAPE_OBJECT, SHAPE_TABLE, SHAPE_PARTIAL };

/* Appends an object as PartialObjectMetadata. */
void shape_partial(struct strbuf *out, struct slice object_text);
/* Appends {"cells":...,"object":...} of one object. */
void shape_table_row(struct strbuf *out, const struct resource *r, struct slice object_text, struct slice include);
/* Appends the head of a Table up to `"rows":[`. */
void shape_table_head(struct strbuf *out, const struct resource *r, struct slice list_metadata, bool with_columns);
/* The text in the form of another row with the same storage; the same text when they are one. New reference. */
struct rcbuf *shape_convert(
        struct rcbuf *text, const struct resource *from, const struct resource *to, struct err *err);
/* JSON text in a format (YAML, protobuf); JSON is moved as it is. *text is emptied. */
int shape_encode(enum call_format f, struct strbuf *text, struct strbuf *out, struct err *err);
const char *shape_content_type(enum call_format f);

#endif
