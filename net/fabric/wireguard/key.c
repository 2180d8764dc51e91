/* See key.h. A file that holds no key is not written over: it may be somebody's only copy of one. */
#include "net/fabric/wireguard/key.h"

#include "base/base64.h"
#include "base/pki/pki.h"
#include "base/pki/pki_x25519.h"

#include <stdlib.h>

_Static_assert((int)WIREGUARD_KEY_BYTES == (int)PKI_X25519_BYTES, "WireGuard's keys are Curve25519's");

enum { KEY_MODE = 0600 };

bool wireguard_key_equal(const struct wireguard_key *a, const struct wireguard_key *b)
{
	return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

bool wireguard_key_parse(struct slice text, struct wireguard_key *ret)
{
	static const struct wireguard_key none;
	struct arena a = ARENA_INIT;
	struct slice raw;
	struct wireguard_key k = {{0}};
	if (base64_decode(&a, text, &raw) && raw.len == sizeof k.bytes)
		memcpy(k.bytes, raw.ptr, sizeof k.bytes);
	arena_release(&a);
	if (wireguard_key_equal(&k, &none))
		return false;
	*ret = k;
	return true;
}

struct slice wireguard_key_text(struct arena *a, const struct wireguard_key *k)
{
	return base64_encode(a, (struct slice){(const char *)k->bytes, sizeof k->bytes});
}

static int make(const char *file, struct wireguard_key *ret, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct wireguard_key k;
	pki_x25519_generate(k.bytes);
	const char *text = arena_printf(&a, "%s\n", wireguard_key_text(&a, &k).ptr);
	int rc = pki_file_write(file, slice_of(text), KEY_MODE, err);
	arena_release(&a);
	if (rc == 0)
		*ret = k;
	return rc;
}

static int read_or_make(const char *file, struct wireguard_key *ret, struct err *err)
{
	char *text = NULL;
	size_t len;
	struct err missing = ERR_INIT;
	int rc = pki_file_read(file, &text, &len, &missing);
	if (rc == ERR_NOT_FOUND)
		return make(file, ret, err);
	if (rc != 0)
		return err_set(err, rc, "%s", missing.msg);
	if (!wireguard_key_parse(slice_trim((struct slice){text, len}), ret))
		rc = err_set(err, ERR_CORRUPT,
		        "%s holds no WireGuard key: put the right one back, or remove it for a new one", file);
	free(text);
	return rc;
}

int wireguard_keys_load(const char *file, struct wireguard_keys *ret, struct err *err)
{
	struct wireguard_keys k;
	if (read_or_make(file, &k.private_key, err) != 0 ||
	        pki_x25519_public(k.private_key.bytes, k.public_key.bytes, err) != 0)
		return err->code;
	*ret = k;
	return 0;
}
