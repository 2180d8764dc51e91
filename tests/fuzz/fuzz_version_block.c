/* Any bytes as a block of versions, as it lies in the database. What reads must come out the same when it is packed
 * again. */
#include "store/machine/database/version_block.h"

#include "base/check.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool take(struct slice *in, void *out, size_t n)
{
	if (in->len < n)
		return false;
	memcpy(out, in->ptr, n);
	in->ptr += n;
	in->len -= n;
	return true;
}

static struct slice take_part(struct slice *in)
{
	uint8_t n = 0;
	take(in, &n, 1);
	struct slice part = {in->ptr, n < in->len ? n : in->len};
	in->ptr += part.len;
	in->len -= part.len;
	return part;
}

static void pack_again(const struct version_block *b)
{
	struct version_builder builder = {0};
	struct version_block again = {0};
	struct version_stored s;
	struct err err = ERR_INIT;
	unsigned n = 0;
	while (n < b->n && version_builder_has_room(&builder, &b->rows[n]))
		version_builder_add(&builder, &b->rows[n++]);
	version_builder_seal(&builder, &s);
	CHECK(version_block_decode(&again, &s, &err) == 0 && again.n == n);
	for (unsigned i = 0; i < n; i++) {
		const struct version_row *x = &b->rows[i], *y = &again.rows[i];
		CHECK(x->id == y->id && x->prev == y->prev && x->created == y->created && x->version == y->version);
		CHECK(x->lease == y->lease && slice_eq(x->key, y->key) && slice_eq(x->value, y->value));
	}
	version_builder_release(&builder);
	version_block_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = {(const char *)data, size};
	struct version_stored s = {0};
	struct version_block b = {0};
	struct version_head h;
	struct err err = ERR_INIT;
	uint16_t n = 0;
	uint32_t raw = 0;
	take(&in, &s.id, sizeof s.id);
	take(&in, &n, sizeof n);
	take(&in, &raw, sizeof raw);
	s.n = n;
	s.raw = raw;
	s.ids = take_part(&in);
	s.dead = take_part(&in);
	s.bytes = in;
	int head = version_head_decode(&h, &s, &err);
	int rc = version_block_decode(&b, &s, &err);
	CHECK((head == 0 || head == ERR_CORRUPT) && (rc == 0 || rc == ERR_CORRUPT) && (rc != 0 || head == 0));
	if (rc == 0) {
		volatile bool found = version_block_find(&b, b.rows[b.n / 2].id) != NULL;
		CHECK(found == !version_bit(&b.dead, b.n / 2));
		pack_again(&b);
	}
	version_block_release(&b);
	return 0;
}
