/* Names of datastores: whatever is typed there is taken or refused, and what may be logged of it has no password. */
#include "store/engine/sql/dsn.h"

#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = ARENA_INIT;
	struct dsn d;
	struct err err = ERR_INIT;
	const char *text = arena_printf(&a, "%.*s", (int)size, (const char *)data);
	int rc = dsn_parse(&a, text, &d, &err);
	const char *shown = dsn_redact(&a, text);
	if (rc == 0 && d.kind == DSN_MYSQL && strlen(d.password) > 3 && strstr(text, d.password)) {
		CHECK(d.database[0]);
		/* a password that stands elsewhere, too, is no secret */
		const char *first = strstr(text, d.password), *again = strstr(first + 1, d.password);
		CHECK(again || !strstr(shown, d.password) || strstr(d.password, "***"));
	}
	if (rc == 0 && d.kind == DSN_ETCD)
		CHECK(d.n_endpoints > 0);
	arena_release(&a);
	return 0;
}
