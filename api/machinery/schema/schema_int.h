/* The generated tables, for schema.c and the generated file only. */
#ifndef K3X_API_MACHINERY_SCHEMA_SCHEMA_INT_H
#define K3X_API_MACHINERY_SCHEMA_SCHEMA_INT_H

#include "api/machinery/schema/schema.h"

extern const struct schema_type schema_types_[]; /* sorted by name */
extern const size_t schema_type_count_;
extern const unsigned char schema_docs_packed_[]; /* one LZ4 block: texts, each with a zero byte after it */
extern const unsigned schema_docs_packed_size_;
extern const unsigned schema_docs_size_;

#endif
