/* Unpacking messages, with a limit on depth.
 *
 * protobuf-c unpacks nested messages by recursion and without a limit; a client could nest transactions until the stack
 * ends. So the bytes are walked first, along the descriptors, as deep as MESSAGE_DEPTH_MAX. Strings end at a zero byte
 * for it: those that hold one (a name or a password that would become another) are refused. */
#include "store/proto/unpack.h"

#include "base/check.h"
#include "base/limits.h"

/* A transaction in another is two messages further in; what stands in the innermost is two more. */
enum { MESSAGE_DEPTH_MAX = 32 };
_Static_assert(MESSAGE_DEPTH_MAX >= 2 * STORE_TXN_DEPTH_MAX + 4, "what may be nested can be read");

static bool read_varint(struct slice *s, uint64_t *ret)
{
	*ret = 0;
	for (unsigned shift = 0; shift < 64 && s->len; shift += 7) {
		unsigned char c = (unsigned char)*s->ptr++;
		s->len--;
		*ret |= (uint64_t)(c & 0x7f) << shift;
		if (!(c & 0x80))
			return true;
	}
	return false;
}

static bool skip(struct slice *s, uint64_t n)
{
	if (n > s->len)
		return false;
	s->ptr += n;
	s->len -= n;
	return true;
}

/* Also: is every string whole, once it ends at its first zero byte? */
static bool is_sound(const ProtobufCMessageDescriptor *type, struct slice s, unsigned depth)
{
	uint64_t key, n;
	if (depth > MESSAGE_DEPTH_MAX)
		return false;
	while (s.len) {
		if (!read_varint(&s, &key))
			return false;
		unsigned wire = key & 7;
		if (wire == 0 ? !read_varint(&s, &n) : wire == 1 ? !skip(&s, 8) : wire == 5 ? !skip(&s, 4) : wire != 2)
			return false;
		if (wire != 2)
			continue;
		if (!read_varint(&s, &n) || n > s.len)
			return false;
		const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field(type, (unsigned)(key >> 3));
		if (f && f->type == PROTOBUF_C_TYPE_STRING && n && memchr(s.ptr, 0, n))
			return false; /* it would be cut there */
		if (f && f->type == PROTOBUF_C_TYPE_MESSAGE &&
		        !is_sound(f->descriptor, (struct slice){s.ptr, n}, depth + 1))
			return false;
		skip(&s, n);
	}
	return true;
}

static void *arena_alloc_cb(void *arena, size_t size)
{
	return arena_alloc(arena, size);
}

static void arena_free_cb(void *arena, void *p)
{
}

ProtobufCAllocator etcd_allocator(struct arena *a)
{
	return (ProtobufCAllocator){arena_alloc_cb, arena_free_cb, a};
}

void *etcd_message_unpack(struct arena *a, const ProtobufCMessageDescriptor *type, struct slice bytes)
{
	ProtobufCAllocator allocator = etcd_allocator(a);
	if (!is_sound(type, bytes, 0))
		return NULL;
	return protobuf_c_message_unpack(type, &allocator, bytes.len, (const uint8_t *)bytes.ptr);
}
