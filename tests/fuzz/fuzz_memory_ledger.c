/* The state of memory: what is read gives out no more than there is, and keeps to the groups of nodes. */
#include "base/check.h"
#include "node/memory/memory_ledger_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct numa machine = {.count = 4};
	struct memory_ledger l;
	struct err err = ERR_INIT;
	for (unsigned i = 0; i < 4; i++)
		machine.list[i] = (struct numa_node){.id = i, .memory_bytes = 100};
	memory_ledger_init(&l, &machine, NULL);
	if (memory_ledger_read(&l, (struct slice){(const char *)data, size}, &err) != 0)
		CHECK(err.msg[0] && !l.count);
	for (size_t i = 0; i < l.nodes_count; i++) {
		const struct memory_node *n = &l.nodes[i];
		CHECK(n->pools[0].used >= 0 && n->pools[0].used <= n->pools[0].total && n->group >> n->id & 1);
	}
	memory_ledger_release(&l);
	return 0;
}
