/* Packed files: whatever a frame says, reading it ends, and within a thousand times its size nothing goes wrong. */
#include "base/check.h"
#include "store/snapshot/packed.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char piece[65536];
	struct err err = ERR_INIT;
	size_t n = 1, all = 0;
	int fd = memfd_create("packed", MFD_CLOEXEC);
	CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size && lseek(fd, 0, SEEK_SET) == 0);
	struct packed_in *p = packed_in_new(fd, "it");
	while (n && all < 1000 * size + 1 && packed_in_read(p, piece, sizeof piece, &n, &err) == 0) {
		CHECK(n <= sizeof piece);
		all += n;
	}
	CHECK(!err.code || (err.code == ERR_CORRUPT && err.msg[0]));
	CHECK(packed_is_head((const char *)data, size) || all == size);
	packed_in_free(p);
	close(fd);
	return 0;
}
