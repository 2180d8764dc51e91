/* Any bytes as a Corefile (with no other file in reach), and names through its rewrite rules. */
#include "net/dns/resolve/rewrite.h"

#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int find(void *arg, struct arena *a, const char *pattern, const char ***ret, size_t *ret_n, struct err *err)
{
	*ret_n = 0;
	return 0;
}

static int read_file(void *arg, struct arena *a, const char *path, struct slice *ret, struct err *err)
{
	if (strcmp(path, "Corefile") != 0)
		return err_set(err, ERR_NOT_FOUND, "%s is not there", path);
	*ret = *(struct slice *)arg;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = {(const char *)data, size};
	const struct corefile_source source = {find, read_file, &text};
	struct conf *c = NULL;
	struct err err = ERR_INIT;
	if (conf_read(&source, "Corefile", &c, &err) != 0) {
		CHECK(err.code != 0 && err.msg[0]);
		return 0;
	}
	CHECK(c->n_blocks > 0);
	for (size_t i = 0; i < c->n_blocks; i++) {
		struct dns_name n;
		CHECK(c->blocks[i].n_keys > 0);
		CHECK(dns_name_parse(&n, SLICE("a.web.default.example.org"), NULL) == 0);
		rewrite_name(c->blocks[i].rewrites, c->blocks[i].n_rewrites, &n);
		CHECK(dns_name_len(n.wire) == n.len);
	}
	conf_free(c);
	return 0;
}
