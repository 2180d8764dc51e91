/* Any bytes as a message of a peer. */
#include "raft/adapter/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = ARENA_INIT;
	struct frame f;
	struct err err = ERR_INIT;
	if (message_decode((struct slice){(const char *)data, size}, &a, &f, &err) == 0 &&
	        f.kind == RAFT_APPEND_ENTRIES) {
		volatile uint64_t sum = 0;
		for (unsigned i = 0; i < f.m.append_entries.n_entries; i++)
			for (size_t k = 0; k < f.entries[i].data.len; k++)
				sum += (unsigned char)f.entries[i].data.ptr[k];
	}
	arena_release(&a);
	return 0;
}
