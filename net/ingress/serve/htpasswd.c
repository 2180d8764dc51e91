/* See htpasswd.h. */
#include "net/ingress/serve/htpasswd.h"

#include "base/base64.h"
#include "base/pki/pki.h"

#include <crypt.h>
#include <stdlib.h>

enum { PASSWORD_CHARS_MAX = 512, HASH_CHARS_MAX = 256 };

bool basic_credentials(struct arena *a, struct slice header, struct slice *user, struct slice *password)
{
	struct slice rest = header, kind = slice_cut(&rest, ' '), text;
	if (!slice_caseis(kind, "basic") || !base64_decode(a, slice_trim(rest), &text))
		return false;
	const char *colon = memchr(text.ptr, ':', text.len);
	if (!colon || memchr(text.ptr, 0, text.len))
		return false;
	*user = (struct slice){text.ptr, (size_t)(colon - text.ptr)};
	*password = (struct slice){colon + 1, text.len - user->len - 1};
	return user->len > 0;
}

struct slice htpasswd_find(struct slice file, struct slice user)
{
	while (file.ptr) {
		struct slice line = slice_trim(slice_cut(&file, '\n')), hash = line;
		struct slice name = slice_cut(&hash, ':');
		if (name.len && hash.len && name.ptr[0] != '#' && slice_eq(name, user))
			return hash;
	}
	return SLICE_NULL;
}

bool htpasswd_check(struct slice password, struct slice hash)
{
	if (password.len > PASSWORD_CHARS_MAX || hash.len > HASH_CHARS_MAX || !hash.len)
		return false;
	if (hash.ptr[0] != '$')
		return false; /* libcrypt's DES, Apache's {SHA} without a salt, or no hash at all */
	struct crypt_data *d = calloc(1, sizeof *d);
	char *word = xmemdup(password.ptr, password.len), *setting = xmemdup(hash.ptr, hash.len);
	const char *out = d ? crypt_r(word, setting, d) : NULL;
	bool same = out && out[0] == '$' && pki_equal(slice_of(out), hash);
	free(word);
	free(setting);
	free(d);
	return same;
}
