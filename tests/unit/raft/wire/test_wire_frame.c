/* Frames between peers: whole and cut, changed on the way, too long; greetings. */
#include "raft/wire/wire_frame.h"

#include "tests/unit/unit.h"

struct taken {
	char text[64];
	int stop_after;
};

static bool take(void *arg, struct slice payload)
{
	struct taken *t = arg;
	snprintf(t->text + strlen(t->text), sizeof t->text - strlen(t->text), "[%.*s]", SLICE_FMT(payload));
	return t->stop_after < 0 || --t->stop_after > 0;
}

static void add(struct strbuf *b, const char *text)
{
	char head[WIRE_FRAME_HEAD_BYTES];
	wire_frame_head(head, slice_of(text));
	strbuf_add(b, head, sizeof head);
	strbuf_adds(b, text);
}

static void frames_are_the_same_however_they_are_cut(void **state)
{
	struct strbuf b = STRBUF_INIT;
	struct err err = ERR_INIT;
	add(&b, "one");
	add(&b, "");
	add(&b, "three");
	for (size_t step = 1; step <= b.len; step++) {
		struct wire_frame_reader r = {.bytes_max = 100};
		struct taken t = {.stop_after = -1};
		size_t used;
		for (size_t at = 0; at < b.len; at += step) {
			size_t n = b.len - at < step ? b.len - at : step;
			assert_int_equal(wire_frame_feed(&r, b.data + at, n, take, &t, &used, &err), 0);
			assert_int_equal(used, n);
		}
		assert_string_equal(t.text, "[one][][three]");
		wire_frame_reader_release(&r);
	}
	strbuf_release(&b);
}

static void feeding_stops_behind_the_frame_that_says_so(void **state)
{
	struct strbuf b = STRBUF_INIT;
	struct err err = ERR_INIT;
	struct wire_frame_reader r = {.bytes_max = 100};
	struct taken t = {.stop_after = 1};
	size_t used, first;
	add(&b, "one");
	first = b.len;
	add(&b, "two");
	assert_int_equal(wire_frame_feed(&r, b.data, b.len, take, &t, &used, &err), 0);
	assert_int_equal(used, first);
	t.stop_after = -1;
	assert_int_equal(wire_frame_feed(&r, b.data + used, b.len - used, take, &t, &used, &err), 0);
	assert_string_equal(t.text, "[one][two]");
	wire_frame_reader_release(&r);
	strbuf_release(&b);
}

static void a_changed_byte_is_noticed(void **state)
{
	struct strbuf b = STRBUF_INIT;
	add(&b, "payload");
	for (size_t i = 4; i < b.len; i++) {
		struct wire_frame_reader r = {.bytes_max = 100};
		struct taken t = {.stop_after = -1};
		struct err err = ERR_INIT;
		size_t used;
		b.data[i] ^= 0x20;
		assert_int_equal(wire_frame_feed(&r, b.data, b.len, take, &t, &used, &err), ERR_PROTOCOL);
		b.data[i] ^= 0x20;
		wire_frame_reader_release(&r);
	}
	strbuf_release(&b);
}

static void a_frame_above_the_limit_is_refused_by_its_head(void **state)
{
	struct strbuf b = STRBUF_INIT;
	struct err err = ERR_INIT;
	struct wire_frame_reader r = {.bytes_max = 3};
	struct taken t = {.stop_after = -1};
	size_t used;
	add(&b, "four");
	assert_int_equal(wire_frame_feed(&r, b.data, WIRE_FRAME_HEAD_BYTES, take, &t, &used, &err), ERR_TOO_BIG);
	wire_frame_reader_release(&r);
	strbuf_release(&b);
}

static void a_greeting_says_who_comes_and_what_for(void **state)
{
	struct strbuf b = STRBUF_INIT;
	struct err err = ERR_INIT;
	struct wire_hello in = {7, 1, 2, WIRE_STATE, SLICE("http://host:2380")}, out;
	wire_hello_encode(&b, &in);
	assert_int_equal(wire_hello_decode(strbuf_slice(&b), &out, &err), 0);
	assert_int_equal(out.cluster_id, 7);
	assert_int_equal(out.from, 1);
	assert_int_equal(out.to, 2);
	assert_int_equal(out.purpose, WIRE_STATE);
	assert_true(slice_is(out.address, "http://host:2380"));
	b.data[0] ^= 1;
	assert_int_equal(wire_hello_decode(strbuf_slice(&b), &out, &err), ERR_PROTOCOL);
	b.data[0] ^= 1;
	b.data[7] = '2'; /* "X3xpeer2" */
	assert_int_equal(wire_hello_decode(strbuf_slice(&b), &out, &err), ERR_PROTOCOL);
	assert_non_null(strstr(err.msg, "speaks version 2 of the protocol between servers and this program knows 1"));
	b.data[7] = '1';
	b.data[8] = WIRE_QUESTION + 1;
	assert_int_equal(wire_hello_decode(strbuf_slice(&b), &out, &err), ERR_PROTOCOL);
	assert_non_null(strstr(err.msg, "upgrade the older"));
	b.data[8] = WIRE_STATE;
	for (size_t n = 0; n < 40; n++)
		assert_int_equal(wire_hello_decode((struct slice){b.data, n}, &out, &err), ERR_PROTOCOL);
	strbuf_release(&b);
}

static void a_refusal_says_why(void **state)
{
	struct strbuf b = STRBUF_INIT;
	struct wire_hello h = {7, 1, 2, WIRE_MESSAGES, SLICE("http://host:2380")};
	struct slice why;
	char longer[2 * WIRE_REFUSAL_BYTES_MAX];
	wire_refusal_encode(&b, "a stranger");
	assert_true(wire_refusal_decode(strbuf_slice(&b), &why));
	assert_true(slice_is(why, "a stranger"));
	assert_false(wire_refusal_decode((struct slice){b.data, 7}, &why));
	strbuf_reset(&b);
	wire_hello_encode(&b, &h);
	assert_false(wire_refusal_decode(strbuf_slice(&b), &why));
	memset(longer, 'x', sizeof longer);
	longer[sizeof longer - 1] = 0;
	strbuf_reset(&b);
	wire_refusal_encode(&b, longer);
	assert_true(wire_refusal_decode(strbuf_slice(&b), &why));
	strbuf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(frames_are_the_same_however_they_are_cut),
	        cmocka_unit_test(feeding_stops_behind_the_frame_that_says_so),
	        cmocka_unit_test(a_changed_byte_is_noticed),
	        cmocka_unit_test(a_frame_above_the_limit_is_refused_by_its_head),
	        cmocka_unit_test(a_greeting_says_who_comes_and_what_for),
	        cmocka_unit_test(a_refusal_says_why),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
