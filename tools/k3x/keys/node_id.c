/* See node_id.h. */
#include "tools/k3x/keys/node_id.h"

#include "api/machinery/rules/validate.h"
#include "base/pki/pki.h"
#include "tools/k3x/keys/server_pki.h"

#include <ctype.h>
#include <stdlib.h>
#include <unistd.h>

enum { ID_BYTES = 4, ID_DIGITS = 2 * ID_BYTES };

static bool is_id(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!isxdigit((unsigned char)text.ptr[i]) || isupper((unsigned char)text.ptr[i]))
			return false;
	return text.len == ID_DIGITS;
}

static int make(const char *path, struct err *err)
{
	struct strbuf id = STRBUF_INIT;
	pki_random_hex(&id, ID_BYTES);
	int rc = pki_file_write(path, strbuf_slice(&id), 0644, err);
	strbuf_release(&id);
	return rc;
}

int node_id_append(struct server_settings *s, struct err *err)
{
	const char *path = server_file(s, "agent/node-id");
	char *text;
	size_t len;
	if (!s->with_node_id)
		return 0;
	if ((access(path, F_OK) != 0 && make(path, err) != 0) || pki_file_read(path, &text, &len, err) != 0)
		return err->code;
	struct slice id = slice_trim((struct slice){text, len});
	const char *name = arena_printf(&s->arena, "%s-%.*s", s->node_name, SLICE_FMT(id));
	if (!is_id(id))
		err_set(err, ERR_CORRUPT,
		        "%s holds no id of %d hexadecimal digits: delete it, and this is another node", path,
		        ID_DIGITS);
	else if (validate_dns1123_subdomain(slice_of(name)))
		err_set(err, ERR_INVAL, "the node's name %s is too long with its id: give it another --node-name",
		        name);
	else
		s->node_name = name;
	free(text);
	return err->code;
}
