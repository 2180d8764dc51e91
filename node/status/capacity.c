/* See capacity_int.h. Upstream: pkg/kubelet/cm/node_container_manager_linux.go. reservedSystemCPUs takes the place of
 * the CPU in systemReserved and kubeReserved. What can go wrong: more is reserved than there is: then nothing is left,
 * and the start has told it. */
#include "node/status/capacity_int.h"

#include "api/machinery/codec/quantity.h"
#include "base/check.h"
#include "node/config/reserved.h"
#include "node/ground/cpu_set.h"

static void set(struct arena *a, struct json *o, const char *name, struct quantity q)
{
	char text[QUANTITY_TEXT_MAX];
	quantity_format(&q, text);
	json_set_cstr(a, o, name, text);
}

static void set_hugepages(struct arena *a, struct json *o, struct slice lines)
{
	while (lines.len) {
		struct slice bytes = slice_cut(&lines, '\n'), name = slice_cut(&bytes, ' ');
		int64_t n;
		if (slice_to_i64(bytes, &n))
			set(a, o, arena_memdup(a, name.ptr, name.len), quantity_from_value(n, QUANTITY_BINARY_SI));
	}
}

static int64_t hugepages_bytes(struct slice lines)
{
	int64_t sum = 0, n;
	while (lines.len) {
		struct slice bytes = slice_cut(&lines, '\n');
		slice_cut(&bytes, ' ');
		sum += slice_to_i64(bytes, &n) ? n : 0;
	}
	return sum;
}

struct json *node_capacity(struct arena *a, const struct capacity_facts *f)
{
	struct json *o = json_new(a, JSON_OBJECT);
	set(a, o, "cpu", quantity_from_value(f->cpus, QUANTITY_DECIMAL_SI));
	set(a, o, "memory", quantity_from_value(f->memory_bytes / 1024 * 1024, QUANTITY_BINARY_SI));
	set(a, o, "pods", quantity_from_value(f->pods_max, QUANTITY_DECIMAL_SI));
	if (f->disk_bytes)
		set(a, o, "ephemeral-storage", quantity_from_value(f->disk_bytes / 1024 * 1024, QUANTITY_BINARY_SI));
	set_hugepages(a, o, f->hugepages);
	return o;
}

static int64_t reserved_milli_cpu(const struct json *config)
{
	struct cpu_set set;
	struct slice named = json_get_str(config, "reservedSystemCPUs");
	if (named.len && cpu_set_parse(named, &set))
		return (int64_t)cpu_set_count(&set) * 1000;
	return quantity_json_milli(json_path(config, "systemReserved", "cpu", NULL)) +
	       quantity_json_milli(json_path(config, "kubeReserved", "cpu", NULL));
}

static int64_t left(int64_t has, int64_t less)
{
	return less >= has ? 0 : has - less;
}

int64_t node_pods_memory_bytes(const struct capacity_facts *f, const struct json *config)
{
	return left(f->memory_bytes, config_reserved(config, "memory") + hugepages_bytes(f->hugepages));
}

struct json *node_allocatable(struct arena *a, const struct capacity_facts *f, const struct json *config)
{
	struct json *o = node_capacity(a, f);
	int64_t memory = left(node_pods_memory_bytes(f, config),
	                config_hard_threshold(config, SIGNAL_MEMORY_AVAILABLE, f->memory_bytes)),
	        disk = left(
	                f->disk_bytes, config_reserved(config, "ephemeral-storage") +
	                                       config_hard_threshold(config, SIGNAL_NODEFS_AVAILABLE, f->disk_bytes));
	set(a, o, "cpu", quantity_from_milli(left(f->cpus * 1000, reserved_milli_cpu(config)), QUANTITY_DECIMAL_SI));
	set(a, o, "memory", quantity_from_value(memory / 1024 * 1024, QUANTITY_BINARY_SI));
	if (f->disk_bytes)
		set(a, o, "ephemeral-storage", quantity_from_value(disk / 1024 * 1024, QUANTITY_BINARY_SI));
	return o;
}
