/* See numa.h. sysfs: node/online, and of each node cpulist, meminfo and hugepages/hugepages-SIZEkB/nr_hugepages. What
 * can go wrong: a node without one of them, which is not the sysfs that we know, and a node number beyond any
 * machine's. */
#include "node/numa/numa.h"

#include "api/machinery/codec/quantity.h"
#include "base/check.h"
#include "node/ground/files.h"
#include "node/ground/machine.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

enum { FILE_BYTES_MAX = 65536 };

static bool read_set(const char *path, struct cpu_set *ret)
{
	size_t len = 0;
	CLEANUP(cleanup_free) char *text = file_read(path, FILE_BYTES_MAX, false, &len);
	return text && cpu_set_parse(slice_trim((struct slice){text, len}), ret);
}

/* "Node 0 MemTotal:       16284972 kB" */
static int64_t read_total(const char *path)
{
	static const char name[] = "MemTotal:";
	CLEANUP(cleanup_free) char *text = file_read(path, FILE_BYTES_MAX, false, NULL);
	const char *at = text ? strstr(text, name) : NULL;
	long long kb = at ? strtoll(at + sizeof name - 1, NULL, 10) : 0;
	return kb > 0 && kb < INT64_MAX / 1024 ? kb * 1024 : 0;
}

static int only_sizes(const struct dirent *e)
{
	return strncmp(e->d_name, "hugepages-", 10) == 0;
}

static void read_pages(const char *folder, struct numa_node *n)
{
	struct dirent **sizes;
	int count = scandir(folder, &sizes, only_sizes, alphasort);
	for (int i = 0; i < count; i++) {
		char path[4096 + 300], name[QUANTITY_TEXT_MAX];
		int64_t bytes = atoll(sizes[i]->d_name + 10) * 1024;
		struct quantity size = quantity_from_value(bytes, QUANTITY_BINARY_SI);
		struct numa_pages *p = &n->pages[n->pages_count];
		snprintf(path, sizeof path, "%s/%s/nr_hugepages", folder, sizes[i]->d_name);
		CLEANUP(cleanup_free) char *pages = file_read(path, 32, false, NULL);
		quantity_format(&size, name);
		if (pages && n->pages_count < NUMA_PAGE_SIZES_MAX) {
			snprintf(p->resource, sizeof p->resource, "hugepages-%.20s", name);
			p->bytes = atoll(pages) * bytes;
			n->pages_count++;
		}
		free(sizes[i]);
	}
	if (count >= 0)
		free(sizes);
}

static int read_node(const char *folder, unsigned id, struct numa_node *n, struct err *err)
{
	char path[4096];
	CHECK(id < NUMA_NODES_MAX);
	n->id = id;
	snprintf(path, sizeof path, "%s/node/node%u/cpulist", folder, id);
	if (!read_set(path, &n->cpus))
		return err_set(err, ERR_IO, "%s does not say which CPUs are of the node", path);
	snprintf(path, sizeof path, "%s/node/node%u/meminfo", folder, id);
	n->memory_bytes = read_total(path);
	snprintf(path, sizeof path, "%s/node/node%u/hugepages", folder, id);
	read_pages(path, n);
	return 0;
}

static int read_as_one(const char *folder, struct numa_node *n, struct err *err)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/cpu/online", folder);
	if (!read_set(path, &n->cpus) || !cpu_set_count(&n->cpus))
		return err_set(err, ERR_IO, "%s does not say which CPUs there are", path);
	n->memory_bytes = node_memory_bytes();
	read_pages("/sys/kernel/mm/hugepages", n);
	return 0;
}

int numa_read(const char *folder, struct numa *ret, struct err *err)
{
	char path[4096];
	struct cpu_set online; /* the numbers are written as those of CPUs are */
	folder = folder ? folder : "/sys/devices/system";
	*ret = (struct numa){.count = 0};
	snprintf(path, sizeof path, "%s/node/online", folder);
	if (!read_set(path, &online) || !cpu_set_count(&online)) {
		ret->count = 1;
		return read_as_one(folder, &ret->list[0], err);
	}
	for (unsigned i = 0; i < CPU_SET_MAX; i++) {
		if (!cpu_set_has(&online, i))
			continue;
		if (i >= NUMA_NODES_MAX)
			return err_set(err, ERR_IO, "%s: there is a node %u; numbers up to %d are known", path, i,
			        NUMA_NODES_MAX - 1);
		CHECK(ret->count < NUMA_NODES_MAX);
		if (read_node(folder, i, &ret->list[ret->count++], err) != 0)
			return err->code;
	}
	return 0;
}

uint64_t numa_all(const struct numa *n)
{
	uint64_t all = 0;
	DCHECK(n->count);
	for (size_t i = 0; i < n->count; i++)
		all |= UINT64_C(1) << n->list[i].id;
	return all;
}

uint64_t numa_of_cpu(const struct numa *n, unsigned cpu)
{
	for (size_t i = 0; i < n->count; i++)
		if (cpu_set_has(&n->list[i].cpus, cpu))
			return UINT64_C(1) << n->list[i].id;
	return 0;
}

struct cpu_set numa_cpus(const struct numa *n, uint64_t nodes)
{
	struct cpu_set s = {{0}};
	for (size_t i = 0; i < n->count; i++)
		if (nodes >> n->list[i].id & 1)
			s = cpu_set_union(&s, &n->list[i].cpus);
	return s;
}
