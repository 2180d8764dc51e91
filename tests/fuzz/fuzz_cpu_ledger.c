/* The state of CPUs: what is read has no CPU twice among pods, and none that the machine does not have. */
#include "base/check.h"
#include "node/cpus/cpu_ledger_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cpu_topology t = {.count = 8};
	struct cpu_set none = {{0}}, all;
	struct cpu_ledger l;
	struct err err = ERR_INIT;
	for (unsigned i = 0; i < 8; i++)
		t.list[i] = (struct cpu_place){i, i / 2, i / 4};
	all = cpu_topology_all(&t);
	cpu_ledger_init(&l, &t, &none);
	if (cpu_ledger_read(&l, (struct slice){(const char *)data, size}, &err) == 0)
		for (size_t i = 0; i < l.count; i++) {
			struct cpu_set outside = cpu_set_without(&l.entries[i].set, &all),
			               shared = cpu_set_common(&l.entries[i].set, &l.shared);
			CHECK(!cpu_set_count(&outside) && !cpu_set_count(&shared));
		}
	else
		CHECK(err.msg[0]);
	cpu_ledger_release(&l);
	return 0;
}
