/* Any bytes as a snapshot of etcd: the bbolt file, and the revisions, pairs, leases, users and counters in it. With the
 * first bit of the first byte set, the checksums of the meta pages are put right before, so that what lies behind them
 * is reached. */
#include "store/snapshot/bbolt_int.h"
#include "store/snapshot/snapshot_int.h"

#include "base/check.h"
#include "base/hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { META_AT = 16, CHECKSUM_AT = META_AT + 56, META_END = CHECKSUM_AT + 8 };

static void put_right(uint8_t *page, size_t len)
{
	if (len < META_END)
		return;
	uint64_t h = fnv1a64(page + META_AT, CHECKSUM_AT - META_AT);
	memcpy(page + CHECKSUM_AT, &h, sizeof h);
}

static int take(void *arg, struct slice key, struct slice value, struct err *err)
{
	volatile char *sum = arg;
	for (size_t i = 0; i < key.len; i++)
		*sum ^= key.ptr[i];
	for (size_t i = 0; i < value.len; i++)
		*sum ^= value.ptr[i];
	return 0;
}

static void walk(const void *bytes, size_t len)
{
	static const char *const names[] = {"key", "lease", "meta", "members", "auth", "authRoles", "authUsers"};
	struct err err = ERR_INIT;
	struct bbolt b;
	struct bbolt_bucket bucket;
	char sum = 0;
	if (bbolt_open_memory(bytes, len, &b, &err) != 0)
		return;
	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (bbolt_bucket(&b, slice_of(names[i]), &bucket, &err) == 1)
			bbolt_each(&b, &bucket, take, &sum, &err);
	bbolt_close(&b);
}

static void import(const void *bytes, size_t len)
{
	struct store_file_info info = {0};
	struct err err = ERR_INIT;
	char path[64];
	int fd = memfd_create("etcd", 0);
	CHECK(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	int rc = snapshot_from_etcd(path, -1, ":memory:", &info, &err);
	CHECK(rc == 0 || err.code < 0);
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2 || size > 1 << 20)
		return 0;
	uint8_t *copy = malloc(size);
	memcpy(copy, data + 1, size - 1);
	if (data[0] & 1) {
		put_right(copy, size - 1);
		if (size - 1 > 512)
			put_right(copy + 512, size - 1 - 512);
	}
	walk(copy, size - 1);
	import(copy, size - 1);
	free(copy);
	return 0;
}
