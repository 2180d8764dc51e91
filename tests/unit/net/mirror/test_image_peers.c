/* What is kept of a Node for the embedded registry, and which of its images fit. */
#include "net/mirror/image_peers.h"

#include "tests/unit/unit.h"

#define NODE(ready, images) \
	"{\"metadata\":{\"name\":\"n\"},\"status\":{\"conditions\":[{\"type\":\"DiskPressure\",\"status\":\"False\"}," \
	"{\"type\":\"Ready\"," \
	"\"status\":\"" ready \
	"\"}],\"addresses\":[{\"type\":\"Hostname\",\"address\":\"n\"},{\"type\":\"InternalIP\"," \
	"\"address\":\"10.0.0.7\"}],\"daemonEndpoints\":{\"kubeletEndpoint\":{\"Port\":10250}},\"images\":[" images \
	"]}}"

static void assert_kept(const char *node, const char *want)
{
	struct rcbuf *kept = image_peers_digest(slice_of(node));
	if (kept->len != strlen(want) || memcmp(kept->data, want, kept->len) != 0)
		fail_msg("%.*s", (int)kept->len, kept->data);
	rcbuf_unref(kept);
}

static void a_node_that_is_ready_is_kept_as_lines(void **state)
{
	assert_kept(
	        NODE("True",
	                "{\"names\":[\"docker.io/a/b@sha256:1\",\"docker.io/a/b:1\"]},{\"names\":[\"r.test/c:2\"]}"),
	        "10.0.0.7:10250\ndocker.io/a/b@sha256:1\ndocker.io/a/b:1\nr.test/c:2\n");
	assert_kept(NODE("Unknown", "{\"names\":[\"docker.io/a/b:1\"]}"), "");
	assert_kept("{}", "");
	assert_kept("nonsense", "");
}

static void an_image_is_found_by_tag_and_by_digest(void **state)
{
	struct slice kept = SLICE("10.0.0.7:10250\ndocker.io/a/b@sha256:1\ndocker.io/a/b:1\nr.test:5000/c:2\n");
	static const struct {
		const char *repository, *reference;
		enum image_match want;
	} rows[] = {{"docker.io/a/b", "1", IMAGE_MATCH_WHOLE}, {"docker.io/a/b", "sha256:1", IMAGE_MATCH_WHOLE},
	        {"docker.io/a/b", "2", IMAGE_MATCH_REPOSITORY}, {"docker.io/a/b", "sha256:2", IMAGE_MATCH_REPOSITORY},
	        {"docker.io/a", "b:1", IMAGE_MATCH_NONE}, {"docker.io/a/bb", "1", IMAGE_MATCH_NONE},
	        {"r.test", "5000/c:2", IMAGE_MATCH_WHOLE}, {"r.test:5000/c", "2", IMAGE_MATCH_WHOLE},
	        {"10.0.0.7", "10250", IMAGE_MATCH_NONE}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (image_peers_match(kept, slice_of(rows[i].repository), slice_of(rows[i].reference)) != rows[i].want)
			fail_msg("%s %s", rows[i].repository, rows[i].reference);
	assert_int_equal(image_peers_match(SLICE(""), SLICE("a"), SLICE("b")), IMAGE_MATCH_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_node_that_is_ready_is_kept_as_lines),
	        cmocka_unit_test(an_image_is_found_by_tag_and_by_digest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
