/* A snapshot that is packed, looked at: it is unpacked into a temporary file, which is looked at in its place. What can
 * go wrong: what can with any snapshot; there is no room for it unpacked. */
#include "store/snapshot/intake_int.h"
#include "store/snapshot/snapshot_int.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* What the intake has taken off. */
static int append_sha256(const char *path, const unsigned char sha256[32], struct err *err)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	int rc = fd >= 0 && write(fd, sha256, 32) == 32 ? 0 : err_errno(err, errno, "write %s", path);
	if (fd >= 0)
		close(fd);
	return rc;
}

int snapshot_inspect_packed(const char *path, bool deep, struct store_file_info *ret, struct arena *a, struct err *err)
{
	struct intake x = {.from = path};
	const char *plain = arena_printf(a, "%s.unpacked", snapshot_temporary(a));
	struct stat st;
	int rc = intake_copy(&x, plain, err);
	if (rc == 0 && append_sha256(plain, x.sha256, err) == 0)
		snapshot_inspect_file(plain, deep, ret, a, err);
	unlink(plain);
	if (err->code)
		return err_wrap(err, "%s", path);
	if (stat(path, &st) == 0)
		ret->size_bytes = st.st_size;
	return 0;
}
