/* D-Bus messages: ours read as we wrote them, a real one of either byte order, and broken ones. */
#include "tests/unit/unit.h"

#include "base/check.h"
#include "node/shutdown/dbus_message_int.h"

static void what_we_write_is_read(void **state)
{
	struct strbuf b = STRBUF_INIT;
	struct dbus_message m;
	struct slice text;
	uint64_t n;
	strbuf_adds(&b, "xyz"); /* it is aligned to its own beginning */
	dbus_call_write(&b, 7, "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
	        "org.freedesktop.systemd1.Manager", "KillUnit", "ssi", "a.service", "all", -1);
	struct slice bytes = {b.data + 3, b.len - 3};
	assert_int_equal(dbus_message_read(bytes, &m), (int64_t)bytes.len);
	assert_int_equal(m.type, DBUS_CALL);
	assert_int_equal(m.serial, 7);
	assert_true(slice_is(m.path, "/org/freedesktop/systemd1"));
	assert_true(slice_is(m.interface, "org.freedesktop.systemd1.Manager"));
	assert_true(slice_is(m.member, "KillUnit"));
	assert_true(slice_is(m.signature, "ssi"));
	assert_true(dbus_message_text(&m, 1, &text) && slice_is(text, "all"));
	assert_true(dbus_message_number(&m, 2, &n) && n == UINT32_MAX);
	assert_false(dbus_message_number(&m, 1, &n));
	assert_false(dbus_message_text(&m, 3, &text));
	for (size_t cut = 0; cut < bytes.len; cut++)
		assert_int_equal(dbus_message_read((struct slice){bytes.ptr, cut}, &m), 0);
	strbuf_release(&b);
}

/* A signal PrepareForShutdown(true), highest byte first. */
static void the_other_byte_order_is_read(void **state)
{
	static const char signal[] = "B\4\1\1\0\0\0\4\0\0\0\11\0\0\0\47"
	                             "\3\1s\0\0\0\0\22PrepareForShutdown\0\0\0\0\0\0\10\1g\0\1b\0\0"
	                             "\0\0\0\1";
	struct dbus_message m;
	uint64_t n;
	assert_int_equal(dbus_message_read((struct slice){signal, sizeof signal - 1}, &m), 60);
	assert_int_equal(m.type, DBUS_SIGNAL);
	assert_true(slice_is(m.member, "PrepareForShutdown"));
	assert_true(dbus_message_number(&m, 0, &n) && n == 1);
}

static void a_variant_is_looked_into(void **state)
{
	struct dbus_message m = {.signature = SLICE("v"), .body = SLICE("\1t\0\0\0\0\0\0\100\113\114\0\0\0\0\0")};
	uint64_t n;
	assert_true(dbus_message_number(&m, 0, &n) && n == 5000000);
	m.body = SLICE("\1v\0\1t\0\0\0\100\113\114\0\0\0\0\0");
	assert_false(dbus_message_number(&m, 0, &n));
	m.signature = SLICE("as");
	assert_false(dbus_message_number(&m, 0, &n));
}

static void what_is_none_is_told(void **state)
{
	struct dbus_message m;
	char text[] = "l\2\1\1\0\0\0\0\1\0\0\0\17\0\0\0\5\1u\0\1\0\0\0\10\1g\0\1b\0\0";
	struct slice bytes = {text, sizeof text - 1};
	assert_int_equal(dbus_message_read(bytes, &m), 32);
	assert_int_equal(m.reply_serial, 1);
	text[3] = 2; /* another version of the protocol */
	assert_int_equal(dbus_message_read(bytes, &m), -1);
	text[3] = 1;
	text[29 - 1] = 100; /* a signature longer than the message */
	assert_int_equal(dbus_message_read(bytes, &m), -1);
	text[28] = 1;
	text[7] = 0x7f; /* a body of 2 GiB */
	assert_int_equal(dbus_message_read(bytes, &m), -1);
	assert_int_equal(dbus_message_read(SLICE("HTTP"), &m), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(what_we_write_is_read),
	        cmocka_unit_test(the_other_byte_order_is_read),
	        cmocka_unit_test(a_variant_is_looked_into),
	        cmocka_unit_test(what_is_none_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
