/* Versions of keys and the blocks they lie in: bytes in, versions out, and back. See version_block.c. */
#ifndef K3X_STORE_MACHINE_DATABASE_VERSION_BLOCK_H
#define K3X_STORE_MACHINE_DATABASE_VERSION_BLOCK_H

#include "base/err.h"
#include "base/limits.h"
#include "base/mem/str.h"

/* A version of a key. */
struct version_row {
	int64_t id;                      /* revision and place in it, see db.h */
	int64_t prev;                    /* id of the version before it; 0: none */
	int64_t created, version, lease; /* version 0: a deletion */
	struct slice key, value;
};

enum { VERSION_BITS_BYTES = STORE_BLOCK_VERSIONS_MAX / 8 };

/* Which versions of a block are dead. */
struct version_bits {
	uint8_t bytes[VERSION_BITS_BYTES];
};

static inline bool version_bit(const struct version_bits *b, unsigned i)
{
	return b->bytes[i / 8] >> (i % 8) & 1;
}

static inline void version_bit_set(struct version_bits *b, unsigned i)
{
	b->bytes[i / 8] = (uint8_t)(b->bytes[i / 8] | 1u << (i % 8));
}

unsigned version_bits_count(const struct version_bits *b);

/* A block as it is stored. */
struct version_stored {
	int64_t id;         /* of its first version */
	int64_t n;          /* versions */
	struct slice ids;   /* of the others */
	int64_t raw;        /* bytes when unpacked */
	struct slice bytes; /* as many as `raw`: plain; fewer: one LZ4 block */
	struct slice dead;  /* a bit for each version; empty: none is */
};

/* What is known of a block without unpacking it. */
struct version_head {
	int64_t ids[STORE_BLOCK_VERSIONS_MAX];
	unsigned n;
	int64_t raw;
	struct version_bits dead;
};

/* Reads all but `bytes`. ERR_CORRUPT names the block. */
int version_head_decode(struct version_head *ret, const struct version_stored *s, struct err *err);
/* Where a version is in the block; -1: it is not in it. */
int version_head_find(const struct version_head *h, int64_t id);

/* A block, unpacked. Zeroed before its first use; may be decoded into again and again. */
struct version_block {
	struct version_row *rows; /* keys and values lie in `raw` */
	unsigned n, cap;
	struct version_bits dead;
	char *raw;
	size_t raw_cap;
};

/* ERR_CORRUPT names the block, which is then empty. What `s` points to is not needed afterwards. */
int version_block_decode(struct version_block *b, const struct version_stored *s, struct err *err);
void version_block_release(struct version_block *b);
/* Memory it holds. */
size_t version_block_bytes(const struct version_block *b);
/* The version; NULL: it is not in the block, or dead. */
const struct version_row *version_block_find(const struct version_block *b, int64_t id);

/* Makes a block. Zeroed before its first use. */
struct version_builder {
	int64_t ids[STORE_BLOCK_VERSIONS_MAX];
	unsigned n;
	struct strbuf raw, packed, id_bytes;
};

/* Does it fit in with the others? Any fits in an empty one. */
bool version_builder_has_room(const struct version_builder *b, const struct version_row *v);
/* v->id is greater than all before. Its bytes are copied. */
void version_builder_add(struct version_builder *b, const struct version_row *v);
/* The block, of one version at least; it lies in the builder until that is added to or released. The builder is empty
 * then. */
void version_builder_seal(struct version_builder *b, struct version_stored *ret);
void version_builder_release(struct version_builder *b);

#endif
