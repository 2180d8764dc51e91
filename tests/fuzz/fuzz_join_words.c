/* Any bytes as what servers and agents are told when they join: what is understood is written and understood again, the
 * same. */
#include "api/server/join/words.h"

#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(struct arena *a, struct slice text)
{
	struct join_ask x, y;
	struct err err = ERR_INIT;
	struct strbuf out = STRBUF_INIT;
	if (join_ask_parse(a, text, &x, &err) == 0) {
		join_ask_write(&x, &out);
		CHECK(join_ask_parse(a, strbuf_slice(&out), &y, &err) == 0);
		CHECK(x.member_id == y.member_id && strcmp(x.name, y.name) == 0 && strcmp(x.address, y.address) == 0);
	}
	strbuf_release(&out);
}

static void offer(struct arena *a, struct slice text)
{
	struct join_offer x, y;
	struct err err = ERR_INIT;
	struct strbuf out = STRBUF_INIT;
	if (join_offer_parse(a, text, &x, &err) == 0) {
		join_offer_write(&x, &out);
		CHECK(join_offer_parse(a, strbuf_slice(&out), &y, &err) == 0);
		CHECK(x.cluster_id == y.cluster_id && x.n_members == y.n_members && slice_eq(x.keys, y.keys));
		CHECK(join_check_settings(&x.settings, &y.settings, &err) == 0);
		join_check_versions(x.kubernetes, x.protocol, y.kubernetes, &err);
	}
	strbuf_release(&out);
}

static void config(struct arena *a, struct slice text)
{
	struct join_config x, y;
	struct err err = ERR_INIT;
	struct strbuf out = STRBUF_INIT;
	if (join_config_parse(a, text, &x, &err) == 0) {
		join_settings_write(&x.settings, &out);
		CHECK(join_config_parse(a, strbuf_slice(&out), &y, &err) == 0);
		CHECK(join_check_settings(&x.settings, &y.settings, &err) == 0);
	}
	strbuf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = ARENA_INIT;
	ask(&a, (struct slice){(const char *)data, size});
	offer(&a, (struct slice){(const char *)data, size});
	config(&a, (struct slice){(const char *)data, size});
	join_answered_member((struct slice){(const char *)data, size});
	arena_release(&a);
	return 0;
}
