/* D-Bus messages: what is read lies within the bytes that were there. */
#include "base/check.h"
#include "node/shutdown/dbus_message_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void within(struct slice part, struct slice whole)
{
	CHECK(!part.len || (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice bytes = {(const char *)data, size}, text;
	struct dbus_message m;
	uint64_t number;
	int64_t len = dbus_message_read(bytes, &m);
	CHECK(len <= (int64_t)size);
	if (len <= 0)
		return 0;
	within(m.path, bytes);
	within(m.interface, bytes);
	within(m.member, bytes);
	within(m.error, bytes);
	within(m.signature, bytes);
	within(m.body, bytes);
	for (unsigned i = 0; i < 4; i++) {
		if (dbus_message_text(&m, i, &text))
			within(text, m.body);
		dbus_message_number(&m, i, &number);
	}
	return 0;
}
