/* Any bytes as a database of the store, as a restore and the offline checks read one. */
#include "store/snapshot/page_check_int.h"
#include "store/snapshot/snapshot.h"

#include "base/check.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void row(void *arg, bool is_head, const char *const *texts, int n)
{
	volatile size_t *sum = arg;
	for (int i = 0; i < n; i++)
		*sum += texts[i] ? strlen(texts[i]) : 0;
}

/* As they go by at a restore. */
static void check_pages(const uint8_t *data, size_t size)
{
	static struct page_check c;
	struct err err = ERR_INIT;
	c = (struct page_check){0};
	for (size_t at = 0; at + PAGE_BYTES <= size && !err.code; at += PAGE_BYTES)
		page_check_next(&c, (const char *)data + at, &err);
	if (!err.code)
		page_check_end(&c, &err);
	CHECK(err.code == 0 || err.code == ERR_CORRUPT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct store_file_info info;
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	char path[64];
	size_t sum = 0;
	int fd = memfd_create("store", 0);
	CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	int rc = store_file_inspect(path, true, &info, &a, &err);
	CHECK(rc == 0 || err.code < 0);
	check_pages(data, size);
	err = ERR_INIT;
	store_sql(path, "SELECT * FROM rev", row, &sum, &err);
	arena_release(&a);
	close(fd);
	return 0;
}
