/* Messages from bytes that anybody may have sent. See unpack.c. */
#ifndef K3X_STORE_PROTO_UNPACK_H
#define K3X_STORE_PROTO_UNPACK_H

#include "base/mem/arena.h"
#include "base/mem/str.h"

#include <protobuf-c/protobuf-c.h>

ProtobufCAllocator etcd_allocator(struct arena *a);
/* protobuf_c_message_unpack() with a limit on how deep messages are nested; NULL when the bytes are no such message. */
void *etcd_message_unpack(struct arena *a, const ProtobufCMessageDescriptor *type, struct slice bytes);

static inline struct slice etcd_slice(ProtobufCBinaryData b)
{
	return (struct slice){(const char *)b.data, b.len};
}

static inline ProtobufCBinaryData etcd_bytes(struct slice s)
{
	return (ProtobufCBinaryData){s.len, (uint8_t *)s.ptr};
}

#endif
