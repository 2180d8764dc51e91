/* Any bytes as a path, as an expression with a rewrite, as Basic credentials, as networks: a cleaned path stays clean,
 * leaves no root, and is matched and rewritten without harm. Pieces are cut at the first zero bytes. */
#include "net/ingress/route/path.h"
#include "net/ingress/route/source.h"
#include "net/ingress/serve/htpasswd.h"

#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = ARENA_INIT;
	struct slice rest = {(const char *)data, size}, path = slice_cut(&rest, 0), rule = slice_cut(&rest, 0), clean,
	             again;
	const char *target = arena_memdup(&a, rest.ptr, rest.ptr ? strnlen(rest.ptr, rest.len) : 0);
	struct path_rule r = {.match = PATH_REGEX, .path = {arena_memdup(&a, rule.ptr, rule.len), rule.len}};
	struct source_nets nets;
	struct slice user, password;
	struct err err = ERR_INIT;
	if (path_clean(&a, path, &clean)) {
		CHECK(clean.len && clean.ptr[0] == '/' && clean.len <= path.len);
		CHECK(path_clean(&a, clean, &again) && slice_eq(clean, again));
		if (rule.len < 64 && clean.len < 64 && path_rule_compile(&a, &r, &err) == 0) {
			path_rule_matches(&r, clean);
			struct slice to = path_rewrite(&a, &r, clean, target);
			CHECK(to.len && to.ptr[0] == '/');
		}
	}
	source_nets_parse(&a, path, &nets, &err);
	basic_credentials(&a, path, &user, &password);
	htpasswd_find(path, rule);
	arena_release(&a);
	return 0;
}
