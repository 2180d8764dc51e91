/* protobuf messages as JSON and back, by their descriptors (protobuf.dev/programming-guides/json): what the JSON
 * gateway speaks. Any thread. */
#ifndef K3X_STORE_PROTO_JSON_H
#define K3X_STORE_PROTO_JSON_H

#include "base/err.h"
#include "base/mem/arena.h"
#include "base/mem/str.h"

#include <protobuf-c/protobuf-c.h>

/* Appends the message as one JSON object: names as in the .proto file, 64-bit numbers as strings, bytes in base64,
 * enums by name; what has its default value is left out. */
void etcd_json_write(struct strbuf *out, const ProtobufCMessage *m);

/* Reads an object into a message in the arena. Names as in the .proto file or in lowerCamelCase; numbers also as
 * strings, enums by name or number; unknown names and null are skipped. ERR_INVAL. */
int etcd_json_read(struct arena *a, const ProtobufCMessageDescriptor *type, struct slice text, ProtobufCMessage **ret,
        struct err *err);

/* The length of the first whole JSON value in the text, white space before it included; 0 when more must come. What is
 * no JSON at all is found out by reading the value. */
size_t etcd_json_first(struct slice text);

#endif
