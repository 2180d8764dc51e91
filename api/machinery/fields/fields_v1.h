/* FieldsV1: a set of fields as JSON, the form in which managedFields carry it (Kubernetes API reference, FieldsV1 v1):
 *
 *     {"f:metadata":{"f:labels":{".":{},"f:app":{}}},"f:spec":{"f:replicas":{}}}
 *
 * A node without members of its own is in the set; "." says so of one that has some. Any thread. */
#ifndef K3X_API_MACHINERY_FIELDS_FIELDS_V1_H
#define K3X_API_MACHINERY_FIELDS_FIELDS_V1_H

#include "api/machinery/fields/field_set.h"
#include "base/err.h"
#include "base/json/scan.h"

/* Reads the value that lies ahead of the scanner. Names are copied into the arena, and brought to the canonical form
 * (members of keys in order, no white space). NULL with ERR_INVAL when it is not FieldsV1 or nests deeper than an
 * object may. is_own: the text is one that fields_v1_write() has made, whose keys and values need no second look, and
 * lives as long as the arena: names are borrowed from it. */
struct field_set *fields_v1_read(struct arena *a, struct json_scan *s, bool is_own, struct err *err);
void fields_v1_write(struct strbuf *out, const struct field_set *set);

#endif
