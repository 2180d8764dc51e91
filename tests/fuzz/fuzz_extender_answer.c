/* Any bytes as an extender's answer, to each of its calls: refused with a message, or what is read of it can be used.
 */
#include "api/scheduler/extenders/extender_opinions.h"

#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct scheduler_extender by = {.url_prefix = "http://h", .weight = INT32_MAX};

static void check(int rc, const struct err *err)
{
	CHECK(rc == err->code && (rc == 0 || *err->msg || rc == ERR_UNAVAILABLE));
}

static void filter(struct arena *a, struct opinions *nodes, bool knows_nodes, struct slice text)
{
	struct err err = ERR_INIT;
	struct extender_filtered f;
	int rc = extender_filtered_read(a, knows_nodes, text, &f, &err);
	check(rc, &err);
	if (rc != 0)
		return;
	for (size_t i = 0; i < f.n_failed; i++)
		CHECK(strlen(f.failed[i].why) <= EXTENDER_REASON_BYTES_MAX);
	rc = opinions_filter(nodes, &by, &f, &err);
	check(rc, &err);
	CHECK(nodes->left <= nodes->count && (rc != 0 || nodes->left <= f.n_nodes));
}

static void others(struct arena *a, struct opinions *nodes, struct slice text)
{
	struct err err = ERR_INIT;
	struct extender_score *scores;
	struct extender_victims *victims;
	size_t n;
	int rc = extender_scores_read(a, text, &scores, &n, &err);
	check(rc, &err);
	for (int i = 0; rc == 0 && i < 2; i++)
		opinions_score(nodes, &by, scores, n);
	err = ERR_INIT;
	rc = extender_victims_read(a, text, &victims, &n, &err);
	check(rc, &err);
	for (size_t i = 0; rc == 0 && i < n; i++)
		CHECK(victims[i].node.ptr && (!victims[i].n || victims[i].uids));
	err = ERR_INIT;
	check(extender_binding_read(text, &err), &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = {(const char *)data, size};
	for (int knows_nodes = 0; knows_nodes < 2; knows_nodes++) {
		struct arena a = ARENA_INIT;
		struct opinions nodes;
		opinions_init(&nodes, &a, 2);
		opinions_add(&nodes, SLICE("a"), true, false);
		opinions_add(&nodes, SLICE("b"), true, false);
		others(&a, &nodes, text);
		filter(&a, &nodes, knows_nodes, text);
		opinions_release(&nodes);
		arena_release(&a);
	}
	return 0;
}
