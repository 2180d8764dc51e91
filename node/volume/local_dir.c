/* See local_dir.h. */
#include "node/volume/local_dir.h"

#include "api/machinery/codec/quantity.h"
#include "api/machinery/codec/resource_list.h"
#include "base/check.h"
#include "base/file/file_dirs.h"
#include "node/ground/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_mounted(const char *path)
{
	struct stat here, above;
	char parent[4096];
	snprintf(parent, sizeof parent, "%s/..", path);
	return stat(path, &here) == 0 && stat(parent, &above) == 0 && here.st_dev != above.st_dev;
}

int local_tmpfs_mount(const char *path, const char *options, struct err *err)
{
	CHECK(*path == '/');
	if (is_mounted(path) || mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, options) == 0)
		return 0;
	return err_errno(err, errno, "mount tmpfs at %s", path);
}

/* "HugePages-2Mi", or "HugePages" when the pod asks for one size. */
static int64_t page_bytes(struct arena *a, const struct json *spec, struct slice medium)
{
	int64_t found = 0;
	if (slice_starts(medium, "HugePages-"))
		return quantity_text_value((struct slice){medium.ptr + 10, medium.len - 10});
	struct resource_list asked = resource_list_of_pod(a, spec, "requests");
	for (size_t i = 0; i < asked.n; i++) {
		struct slice name = asked.list[i].name;
		if (!slice_starts(name, "hugepages-"))
			continue;
		if (found)
			return -1;
		found = quantity_text_value((struct slice){name.ptr + 10, name.len - 10});
	}
	return found;
}

static int mount_hugepages(
        struct arena *a, const struct json *spec, struct slice medium, const char *path, int64_t size, struct err *err)
{
	int64_t bytes = page_bytes(a, spec, medium);
	if (bytes <= 0)
		return err_set(err, ERR_INVAL,
		        bytes ? "emptyDir: medium HugePages, and the pod asks for pages of more than one size: name "
		                "it, like "
		                "HugePages-2Mi"
		              : "emptyDir: medium %.*s, and no container asks for hugepages-",
		        SLICE_FMT(medium));
	const char *options =
	        size > 0 ? arena_printf(a, "mode=0777,pagesize=%lld,size=%lld", (long long)bytes, (long long)size)
	                 : arena_printf(a, "mode=0777,pagesize=%lld", (long long)bytes);
	if (is_mounted(path) || mount("nodev", path, "hugetlbfs", MS_NOSUID | MS_NODEV, options) == 0)
		return 0;
	return err_errno(err, errno, "mount huge pages of %lld bytes at %s", (long long)bytes, path);
}

int local_dir_make(struct arena *a, const struct json *spec, const struct json *source, const char *path, int64_t gid,
        struct err *err)
{
	struct slice medium = json_get_str(source, "medium");
	int64_t size = quantity_json_value(json_get(source, "sizeLimit"));
	if (slice_starts(medium, "HugePages")) {
		if (mount_hugepages(a, spec, medium, path, size, err) != 0)
			return err->code;
	} else if (medium.len && !slice_is(medium, "Memory")) {
		return err_set(err, ERR_INVAL, "emptyDir: there is no medium %.*s", SLICE_FMT(medium));
	} else if (medium.len &&
	           local_tmpfs_mount(path,
	                   size > 0 ? arena_printf(a, "mode=0777,size=%lld", (long long)size) : "mode=0777",
	                   err) != 0) {
		return err->code;
	}
	if (gid >= 0 && chown(path, (uid_t)-1, (gid_t)gid) != 0)
		return err_errno(err, errno, "give %s to group %lld", path, (long long)gid);
	chmod(path, gid >= 0 ? 02777 : 0777);
	return 0;
}

int local_path_check(const char *path, struct slice type, struct err *err)
{
	struct stat st;
	bool exists = stat(path, &st) == 0;
	if (slice_is(type, "DirectoryOrCreate") && !exists)
		return file_make_dirs(path, 0755, err);
	if (slice_is(type, "FileOrCreate") && !exists) {
		int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
		if (fd < 0)
			return err_errno(err, errno, "make %s", path);
		close(fd);
		return 0;
	}
	if (!type.len)
		return exists ? 0 : file_make_dirs(path, 0755, err);
	if (!exists)
		return err_set(err, ERR_NOT_FOUND, "hostPath type check failed: %s does not exist", path);
	bool fits = slice_starts(type, "Directory") ? S_ISDIR(st.st_mode)
	            : slice_starts(type, "File")    ? S_ISREG(st.st_mode)
	            : slice_is(type, "Socket")      ? S_ISSOCK(st.st_mode)
	            : slice_is(type, "CharDevice")  ? S_ISCHR(st.st_mode)
	                                            : S_ISBLK(st.st_mode);
	return fits ? 0
	            : err_set(err, ERR_INVAL, "hostPath type check failed: %s is not a %.*s", path, SLICE_FMT(type));
}
