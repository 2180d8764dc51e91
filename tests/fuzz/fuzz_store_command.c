/* Any bytes as a command in the log; what is understood must say the same when it is written again. */
#include "store/machine/command.h"

#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct store_request req = {0}, again = {0};
	struct command_head head, head_again;
	struct err err = ERR_INIT;
	struct strbuf first = STRBUF_INIT, second = STRBUF_INIT;
	if (command_decode((struct slice){(const char *)data, size}, &head, &req, &err) == 0) {
		command_encode(&first, &head, &req);
		CHECK(command_decode(strbuf_slice(&first), &head_again, &again, &err) == 0);
		command_encode(&second, &head_again, &again);
		CHECK(slice_eq(strbuf_slice(&first), strbuf_slice(&second)));
	}
	strbuf_release(&first);
	strbuf_release(&second);
	store_request_release(&req);
	store_request_release(&again);
	return 0;
}
