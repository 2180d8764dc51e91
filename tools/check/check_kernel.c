/* The kernel's part of check.h: what can be seen under /proc, /sys and /lib/modules. A module that is neither there nor
 * built in but lies on the disk is as good: it is loaded when it is needed, or by the service's unit. */
#include "tools/check/check.h"

#include "base/check.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* nftables can do what our tables need (sets with intervals and maps of verdicts) from here on. */
enum { KERNEL_MAJOR_MIN = 5, KERNEL_MINOR_MIN = 4 };

static void version(struct checks *c)
{
	const char *text = check_read(c, "/proc/sys/kernel/osrelease");
	unsigned major = 0, minor = 0;
	if (!text || sscanf(text, "%u.%u", &major, &minor) != 2)
		check_add(c, CHECK_WARN, "kernel", NULL, "its version can't be read");
	else if (major < KERNEL_MAJOR_MIN || (major == KERNEL_MAJOR_MIN && minor < KERNEL_MINOR_MIN))
		check_add(c, CHECK_FAIL, "kernel", "use a newer kernel", "%u.%u is older than %d.%d", major, minor,
		        KERNEL_MAJOR_MIN, KERNEL_MINOR_MIN);
	else
		check_add(c, CHECK_OK, "kernel", NULL, "%u.%u", major, minor);
}

static void namespaces(struct checks *c)
{
	static const char *const kinds[] = {"mnt", "net", "pid", "ipc", "uts"};
	struct strbuf lacks = STRBUF_INIT;
	for (size_t i = 0; i < COUNT_OF(kinds); i++)
		if (!check_exists(c, arena_printf(&c->arena, "/proc/self/ns/%s", kinds[i])))
			strbuf_addf(&lacks, "%s%s", lacks.len ? ", " : "", kinds[i]);
	if (lacks.len)
		check_add(c, CHECK_FAIL, "namespaces", "use a kernel with CONFIG_NAMESPACES and all kinds of them",
		        "not there: %s", strbuf_cstr(&lacks));
	else
		check_add(c, CHECK_OK, "namespaces", NULL, "all kinds");
	strbuf_release(&lacks);
}

/* ---- cgroups ---- */

#define MEMORY_MEND \
	"add cgroup_enable=memory cgroup_memory=1 to the kernel's command line (on a Raspberry Pi: " \
	"/boot/firmware/cmdline.txt) and start the machine anew"
#define CGROUP_MEND \
	"use a kernel with these controllers, and mount them: systemd does, on openrc rc-service cgroups start"

static bool has_word(const char *text, const char *word)
{
	size_t len = strlen(word);
	for (const char *at = text; at && (at = strstr(at, word)); at += len)
		if ((at == text || strchr(" \n", at[-1])) && strchr(" \n", at[len]))
			return true;
	return false;
}

/* /proc/cgroups: name, hierarchy, number, enabled. */
static bool is_enabled_v1(const char *table, const char *name)
{
	char begin[64];
	unsigned hierarchy, number, enabled;
	snprintf(begin, sizeof begin, "\n%s\t", name);
	const char *row = table ? strstr(table, begin) : NULL;
	return row && sscanf(row + strlen(begin), "%u %u %u", &hierarchy, &number, &enabled) == 3 && enabled &&
	       hierarchy;
}

static void cgroup_lacks(struct checks *c, const char *version, struct strbuf *lacks, bool has_memory)
{
	if (lacks->len)
		check_add(c, CHECK_FAIL, "cgroups", has_memory ? CGROUP_MEND : MEMORY_MEND, "%s, without %s", version,
		        strbuf_cstr(lacks));
	else
		check_add(c, CHECK_OK, "cgroups", NULL, "%s with all controllers", version);
	strbuf_release(lacks);
}

static void cgroups(struct checks *c)
{
	static const char *const v2[] = {"cpu", "cpuset", "memory", "pids"}, *const v1[] = {"cpu", "cpuset", "memory",
	                                                                             "pids", "devices", "freezer"};
	const char *controllers = check_read(c, "/sys/fs/cgroup/cgroup.controllers"),
	           *table = check_read(c, "/proc/cgroups");
	struct strbuf lacks = STRBUF_INIT;
	if (controllers) {
		for (size_t i = 0; i < COUNT_OF(v2); i++)
			if (!has_word(controllers, v2[i]))
				strbuf_addf(&lacks, "%s%s", lacks.len ? ", " : "", v2[i]);
		cgroup_lacks(c, "v2", &lacks, has_word(controllers, "memory"));
		return;
	}
	if (!check_exists(c, "/sys/fs/cgroup/memory") && !check_exists(c, "/sys/fs/cgroup/cpu")) {
		check_add(c, CHECK_FAIL, "cgroups", CGROUP_MEND, "nothing is mounted at /sys/fs/cgroup");
		return;
	}
	for (size_t i = 0; i < COUNT_OF(v1); i++)
		if (!is_enabled_v1(table, v1[i]))
			strbuf_addf(&lacks, "%s%s", lacks.len ? ", " : "", v1[i]);
	cgroup_lacks(c, "v1", &lacks, is_enabled_v1(table, "memory"));
}

/* ---- modules ---- */

enum module_state { MODULE_THERE, MODULE_ON_DISK, MODULE_MISSING };

/* Is `name` in a list of module files like kernel/net/bridge/br_netfilter.ko.xz? '-' and '_' are the same in names. */
static bool lists(const char *text, const char *name)
{
	size_t len = strlen(name);
	for (const char *slash = text; slash && (slash = strchr(slash, '/')); slash++) {
		size_t i = 0;
		while (i < len && (slash[1 + i] == name[i] || (slash[1 + i] == '-' && name[i] == '_')))
			i++;
		if (i == len && strncmp(slash + 1 + len, ".ko", 3) == 0)
			return true;
	}
	return false;
}

/* Tries it in a network of its own, which goes with the process. */
static bool link_can_be_made(const char *kind)
{
	int status = -1;
	pid_t pid = fork(); /* this command has one thread */
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);
		dup2(null, 1);
		dup2(null, 2);
		if (unshare(CLONE_NEWNET) != 0)
			_exit(126);
		if (strcmp(kind, "vxlan") == 0)
			execlp("ip", "ip", "link", "add", "k3x-check", "type", kind, "id", "1", "dstport", "8472",
			        (char *)NULL);
		else
			execlp("ip", "ip", "link", "add", "k3x-check", "type", kind, (char *)NULL);
		_exit(127);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static enum module_state module_state(struct checks *c, const char *name, const char *builtin, const char *on_disk)
{
	if (check_exists(c, arena_printf(&c->arena, "/sys/module/%s", name)) || lists(builtin, name))
		return MODULE_THERE;
	return lists(on_disk, name) ? MODULE_ON_DISK : MODULE_MISSING;
}

static const struct {
	const char *name;
	const char *sign; /* a file that is there when the kernel can it, module or not */
	const char *word; /* in that file; NULL: the file itself is the sign */
	bool is_link;     /* which can be tried */
	enum check_level without;
	const char *what_for;
} modules[] = {
        {"overlay", "/proc/filesystems", "overlay", false, CHECK_FAIL, "file systems of containers"},
        {"nf_tables", "/proc/net/netfilter", NULL, false, CHECK_FAIL, "services and network policies"},
        {"nf_conntrack", "/proc/sys/net/netfilter/nf_conntrack_max", NULL, false, CHECK_FAIL, "services"},
        {"veth", NULL, NULL, true, CHECK_FAIL, "links of pods"},
        {"bridge", NULL, NULL, true, CHECK_FAIL, "the pod network of a node"},
        {"br_netfilter", "/proc/sys/net/bridge/bridge-nf-call-iptables", NULL, false, CHECK_FAIL,
                "services and policies between pods of one node"},
        {"vxlan", NULL, NULL, true, CHECK_WARN, "--flannel-backend=vxlan between nodes (host-gw does without)"},
};

static void kernel_modules(struct checks *c)
{
	const char *osrelease = check_read(c, "/proc/sys/kernel/osrelease");
	struct slice release = slice_trim(slice_of(osrelease ? osrelease : "?"));
	const char *folder = arena_printf(&c->arena, "/lib/modules/%.*s", SLICE_FMT(release));
	const char *builtin = check_read(c, arena_printf(&c->arena, "%s/modules.builtin", folder));
	const char *on_disk = check_read(c, arena_printf(&c->arena, "%s/modules.dep", folder));
	for (size_t i = 0; i < COUNT_OF(modules); i++) {
		const char *sign = modules[i].sign && modules[i].word ? check_read(c, modules[i].sign) : NULL;
		bool is_seen = sign ? strstr(sign, modules[i].word) != NULL
		                    : modules[i].sign && !modules[i].word && check_exists(c, modules[i].sign);
		enum module_state state = is_seen ? MODULE_THERE : module_state(c, modules[i].name, builtin, on_disk);
		if (state == MODULE_MISSING && modules[i].is_link && !*c->root && link_can_be_made(modules[i].name))
			state = MODULE_THERE;
		if (state == MODULE_THERE)
			check_add(c, CHECK_OK, modules[i].name, NULL, "there");
		else if (state == MODULE_ON_DISK)
			check_add(c, CHECK_OK, modules[i].name, NULL, "a module, not loaded yet");
		else if (!builtin) /* a kernel that is no package's: only trying tells */
			check_add(c, CHECK_WARN, modules[i].name,
			        "if nodes have trouble, use a kernel with it, or one whose modules lie in /lib/modules",
			        "not seen, and there is no list of what is built in (for %s)", modules[i].what_for);
		else
			check_add(c, modules[i].without, modules[i].name,
			        "use a kernel with this module, or install its package of more modules "
			        "(linux-modules-extra on Ubuntu)",
			        "neither built in nor in %s (for %s)", folder, modules[i].what_for);
	}
}

/* ---- limits ---- */

static const struct {
	const char *path;
	long long min;
	const char *what_for;
} limits[] = {
        {"/proc/sys/fs/inotify/max_user_instances", 128, "a node watches files of its own and containers watch theirs"},
        {"/proc/sys/fs/inotify/max_user_watches", 8192, "a node watches files of its own and containers watch theirs"},
        {"/proc/sys/kernel/pid_max", 16384, "threads of all pods"},
        {"/proc/sys/fs/file-max", 65536, "files of all pods"},
};

static void kernel_limits(struct checks *c)
{
	for (size_t i = 0; i < COUNT_OF(limits); i++) {
		const char *text = check_read(c, limits[i].path), *name = strrchr(limits[i].path, '/') + 1;
		long long value;
		if (!text || sscanf(text, "%lld", &value) != 1)
			continue;
		const char *key = arena_printf(&c->arena, "%s", limits[i].path + strlen("/proc/sys/"));
		if (value >= limits[i].min)
			check_add(c, CHECK_OK, name, NULL, "%lld", value);
		else
			check_add(c, CHECK_WARN, name,
			        arena_printf(&c->arena, "sysctl -w %s=%lld, and the same in /etc/sysctl.d/k3x.conf",
			                key, limits[i].min),
			        "%lld is little: %s", value, limits[i].what_for);
	}
}

void check_kernel(struct checks *c)
{
	version(c);
	namespaces(c);
	cgroups(c);
	kernel_modules(c);
	kernel_limits(c);
}
