/* The machine's part of check.h: programs, ports, names, clock, memory, disk. What can be tried is tried: nft reads a
 * table like ours without loading it, and the disk syncs a small file a few times. */
#include "tools/check/check.h"

#include "base/check.h"
#include "base/clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- programs ---- */

/* The first of PATH that can be run; NULL: none. */
static const char *find_program(struct checks *c, const char *name)
{
	const char *path = getenv("PATH");
	struct slice rest =
	        slice_of(path && *path ? path : "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	while (rest.len) {
		struct slice dir = slice_cut(&rest, ':');
		const char *file = arena_printf(&c->arena, "%s%.*s/%s", c->root, SLICE_FMT(dir), name);
		if (access(file, X_OK) == 0)
			return file;
	}
	return NULL;
}

static const struct {
	const char *name, *package;
	enum check_level without;
	const char *what_for;
} programs[] = {
        {"containerd", "containerd", CHECK_FAIL, "runs containers"},
        {"containerd-shim-runc-v2", "containerd", CHECK_FAIL, "runs containers"},
        {"ctr", "containerd", CHECK_FAIL, "imports images"},
        {"runc", "runc", CHECK_FAIL, "runs containers"},
        {"nft", "nftables", CHECK_FAIL, "loads the rules of services and policies"},
        {"ip", "iproute2", CHECK_WARN, "k3x killall cleans up with it"},
};

static void cni_plugins(struct checks *c)
{
	static const char *const folders[] = {"/opt/cni/bin", "/usr/lib/cni"};
	static const char *const plugins[] = {"bridge", "host-local", "loopback", "portmap", "bandwidth"};
	for (size_t f = 0; f < COUNT_OF(folders); f++) {
		if (!check_exists(c, arena_printf(&c->arena, "%s/bridge", folders[f])))
			continue;
		for (size_t i = 0; i < COUNT_OF(plugins); i++)
			if (!check_exists(c, arena_printf(&c->arena, "%s/%s", folders[f], plugins[i]))) {
				check_add(c, CHECK_FAIL, "CNI plugins", "apt-get install containernetworking-plugins",
				        "%s has no %s", folders[f], plugins[i]);
				return;
			}
		check_add(c, CHECK_OK, "CNI plugins", NULL, "%s", folders[f]);
		return;
	}
	check_add(c, CHECK_FAIL, "CNI plugins", "apt-get install containernetworking-plugins",
	        "neither in /opt/cni/bin nor in /usr/lib/cni");
}

static void apparmor(struct checks *c)
{
	const char *enabled = check_read(c, "/sys/module/apparmor/parameters/enabled");
	if (!enabled || *enabled != 'Y')
		check_add(c, CHECK_OK, "apparmor", NULL, "off");
	else if (find_program(c, "apparmor_parser"))
		check_add(c, CHECK_OK, "apparmor", NULL, "on, and apparmor_parser is there");
	else
		check_add(c, CHECK_FAIL, "apparmor", "apt-get install apparmor",
		        "on, and no apparmor_parser to load containers' profile: none would start");
}

void check_programs(struct checks *c)
{
	for (size_t i = 0; i < COUNT_OF(programs); i++) {
		const char *file = find_program(c, programs[i].name);
		if (file)
			check_add(c, CHECK_OK, programs[i].name, NULL, "%s", file);
		else
			check_add(c, programs[i].without, programs[i].name,
			        arena_printf(&c->arena, "apt-get install %s", programs[i].package), "not in PATH (%s)",
			        programs[i].what_for);
	}
	cni_plugins(c);
	apparmor(c);
}

/* What the proxy and the policies are made of: a map of verdicts, sets with intervals, NAT, a bridge's packets, marks.
 */
static const char nft_table[] =
        "table ip k3x-check {\n"
        " map services { type ipv4_addr . inet_proto . inet_service : verdict; }\n"
        " set ranges { type ipv4_addr; flags interval; }\n"
        " chain to-mark { meta mark set mark or 0x4000; }\n"
        " chain pre { type nat hook prerouting priority dstnat; ip daddr . ip protocol . th dport vmap "
        "@services; }\n"
        " chain post { type nat hook postrouting priority srcnat; meta mark & 0x4000 == 0x4000 "
        "masquerade; }\n"
        " chain forward { type filter hook forward priority filter; ct state established,related "
        "accept; ip saddr @ranges drop; }\n"
        "}\n";

void check_nftables(struct checks *c)
{
	const char *nft = find_program(c, "nft");
	char said[512] = "";
	int to[2], from[2], status = -1;
	if (!nft)
		return; /* check_programs() says so */
	signal(SIGPIPE, SIG_IGN);
	if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0)
		return;
	pid_t pid = fork(); /* this command has one thread */
	if (pid == 0) {
		dup2(to[0], 0);
		dup2(from[1], 1);
		dup2(from[1], 2);
		execl(nft, "nft", "-c", "-f", "-", (char *)NULL);
		_exit(127);
	}
	close(to[0]);
	close(from[1]);
	ssize_t n = write(to[1], nft_table, sizeof nft_table - 1);
	close(to[1]);
	size_t len = 0;
	while (len + 1 < sizeof said && (n = read(from[0], said + len, sizeof said - 1 - len)) > 0)
		len += (size_t)n;
	close(from[0]);
	if (pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		check_add(c, CHECK_OK, "nftables", NULL, "takes tables like ours");
	else
		check_add(c, CHECK_FAIL, "nftables", "use a kernel with nf_tables, nft_nat, nft_masq, nft_ct and sets",
		        "does not take a table like ours: %.*s", (int)strcspn(said, "\n"), said);
}

/* ---- ports ---- */

/* Lines of /proc/net/tcp: "  0: 00000000:192B 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 12345 ...".
 * 0A: it listens. */
static bool port_in(const char *text, bool is_udp, unsigned port, uint64_t *inode)
{
	for (const char *line = text ? strchr(text, '\n') : NULL; line; line = strchr(line + 1, '\n')) {
		unsigned local, state;
		if (sscanf(line, " %*u: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*x:%*x %*x:%*x %*x %*u %*u %" SCNu64,
		            &local, &state, inode) == 3 &&
		        local == port && (is_udp || state == 0x0a))
			return true;
	}
	return false;
}

bool check_port_taken(struct checks *c, bool is_udp, unsigned port, uint64_t *inode)
{
	return port_in(check_read(c, is_udp ? "/proc/net/udp" : "/proc/net/tcp"), is_udp, port, inode) ||
	       port_in(check_read(c, is_udp ? "/proc/net/udp6" : "/proc/net/tcp6"), is_udp, port, inode);
}

static const struct {
	unsigned port;
	bool is_udp;
	enum check_level taken;
	const char *what_for, *mend;
} ports[] = {
        {6443, false, CHECK_FAIL, "the API, of servers", "end who listens there, or use --https-listen-port"},
        {10250, false, CHECK_FAIL, "the kubelet", "end who listens there (another kubelet?), or use --kubelet-port"},
        {6444, false, CHECK_WARN, "an agent's way to its servers", "end who listens there, or use --lb-server-port"},
        {2380, false, CHECK_WARN, "between servers, with --cluster-init", "end who listens there (an etcd?)"},
        {8472, true, CHECK_WARN, "vxlan between nodes",
                "end who listens there (flannel?), or use --flannel-backend=host-gw"},
        {80, false, CHECK_WARN, "the ingress", "end the web server there, or use --disable traefik"},
        {443, false, CHECK_WARN, "the ingress", "end the web server there, or use --disable traefik"},
};

/* Does this process run k3x, and has it that socket? */
static bool has_socket(const char *pid, const char *want)
{
	char path[64], target[512];
	snprintf(path, sizeof path, "/proc/%.20s/exe", pid);
	ssize_t n = readlink(path, target, sizeof target - 1);
	target[n > 0 ? n : 0] = 0;
	const char *name = strrchr(target, '/');
	if (!name || strncmp(name, "/k3x", 4) != 0)
		return false;
	snprintf(path, sizeof path, "/proc/%.20s/fd", pid);
	DIR *d = opendir(path);
	bool found = false;
	for (struct dirent *e; d && !found && (e = readdir(d));) {
		n = readlinkat(dirfd(d), e->d_name, target, sizeof target - 1);
		target[n > 0 ? n : 0] = 0;
		found = strcmp(target, want) == 0;
	}
	if (d)
		closedir(d);
	return found;
}

static bool is_ours(struct checks *c, uint64_t inode)
{
	const char *want = arena_printf(&c->arena, "socket:[%" PRIu64 "]", inode);
	DIR *d = *c->root ? NULL : opendir("/proc");
	bool found = false;
	for (struct dirent *e; d && !found && (e = readdir(d));)
		found = *e->d_name >= '1' && *e->d_name <= '9' && has_socket(e->d_name, want);
	if (d)
		closedir(d);
	return found;
}

static void check_ports(struct checks *c)
{
	struct strbuf free_ones = STRBUF_INIT;
	for (size_t i = 0; i < COUNT_OF(ports); i++) {
		uint64_t inode = 0;
		if (!check_port_taken(c, ports[i].is_udp, ports[i].port, &inode))
			strbuf_addf(&free_ones, "%s%u", free_ones.len ? ", " : "", ports[i].port);
		else if (is_ours(c, inode))
			check_add(c, CHECK_OK, "port", NULL, "%u is used by a k3x that runs", ports[i].port);
		else
			check_add(c, ports[i].taken, "port", ports[i].mend, "%u%s is taken (for %s)", ports[i].port,
			        ports[i].is_udp ? "/udp" : "", ports[i].what_for);
	}
	if (free_ones.len)
		check_add(c, CHECK_OK, "ports", NULL, "free: %s", strbuf_cstr(&free_ones));
	strbuf_release(&free_ones);
}

/* ---- clock, memory, names ---- */

enum { YEAR_2025_S = 1735689600, MEMORY_MB_MIN = 256 };

static void clock_is_kept(struct checks *c)
{
	struct timex t = {0};
	int state = adjtimex(&t);
	if (clock_wall_s() < YEAR_2025_S)
		check_add(c, CHECK_FAIL, "clock", "set it (date -s), or run an NTP client before k3x starts",
		        "it is in the past: certificates made now would be no good later");
	else if (state == TIME_ERROR || (t.status & STA_UNSYNC))
		check_add(c, CHECK_WARN, "clock",
		        "apt-get install systemd-timesyncd (or chrony): servers and tokens compare times",
		        "nobody keeps it right");
	else
		check_add(c, CHECK_OK, "clock", NULL, "kept right");
}

static void memory(struct checks *c)
{
	const char *text = check_read(c, "/proc/meminfo");
	unsigned long long kb = 0;
	if (!text || sscanf(text, "MemTotal: %llu kB", &kb) != 1)
		return;
	check_add(c, kb / 1024 >= MEMORY_MB_MIN ? CHECK_OK : CHECK_WARN, "memory",
	        "a server with containerd takes about 100 MB, and pods theirs", "%llu MB", kb / 1024);
}

static void host_name(struct checks *c)
{
	const char *text = check_read(c, "/proc/sys/kernel/hostname");
	struct slice name = slice_trim(slice_of(text ? text : ""));
	bool is_good = name.len > 0 && name.len < 64;
	for (size_t i = 0; i < name.len; i++)
		is_good = is_good &&
		          (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", name.ptr[i]) ||
		                  ((name.ptr[i] == '-' || name.ptr[i] == '.') && i > 0 && i + 1 < name.len));
	if (is_good && !slice_is(name, "localhost"))
		check_add(c, CHECK_OK, "host name", NULL, "%.*s", SLICE_FMT(name));
	else
		check_add(c, is_good ? CHECK_WARN : CHECK_FAIL, "host name",
		        "hostnamectl set-hostname NAME, or --node-name: each node needs one of its own, of letters, "
		        "digits and '-'",
		        "\"%.*s\" names no node", SLICE_FMT(name));
}

/* ---- the disk ---- */

enum {
	SYNCS = 30,
	SYNC_SLOW_US = 10000,
	SYNC_BAD_US = 100000,
	SPACE_MB_MIN = 1024,
	OVERLAYFS_MAGIC = 0x794c7630,
	NFS_MAGIC = 0x6969
};

enum check_level check_sync_level(uint64_t p50_us, uint64_t p99_us, const char **mend)
{
	*mend = "keep --data-dir on an SSD or on a better card: each write of the cluster waits for such a sync";
	return p50_us >= SYNC_BAD_US                             ? CHECK_FAIL
	       : p50_us >= SYNC_SLOW_US || p99_us >= SYNC_BAD_US ? CHECK_WARN
	                                                         : CHECK_OK;
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

static bool time_syncs(const char *folder, uint64_t us[SYNCS])
{
	char path[4096], block[4096] = {1};
	snprintf(path, sizeof path, "%s/.k3x-check-XXXXXX", folder);
	int fd = mkostemp(path, O_CLOEXEC);
	bool is_good = fd >= 0;
	for (size_t i = 0; is_good && i < SYNCS; i++) {
		uint64_t begin = clock_mono_ns() / 1000;
		is_good = write(fd, block, sizeof block) == (ssize_t)sizeof block && fdatasync(fd) == 0;
		us[i] = clock_mono_ns() / 1000 - begin;
	}
	int e = errno;
	if (fd >= 0) {
		close(fd);
		unlink(path);
	}
	errno = e;
	return is_good;
}

/* The folder, or the nearest above it that is there. */
static const char *nearest(struct checks *c, const char *path)
{
	char *folder = arena_strdup(&c->arena, path), *slash;
	while (access(folder, F_OK) != 0 && (slash = strrchr(folder, '/')) && slash != folder)
		*slash = 0;
	return access(folder, F_OK) == 0 ? folder : "/";
}

static void disk(struct checks *c)
{
	const char *folder = nearest(c, c->data_dir), *mend;
	struct statvfs space;
	struct statfs kind;
	uint64_t us[SYNCS];
	if (statvfs(folder, &space) == 0) {
		unsigned long long mb = (unsigned long long)space.f_bavail * space.f_frsize >> 20;
		check_add(c, mb >= SPACE_MB_MIN ? CHECK_OK : CHECK_WARN, "disk space",
		        "make room, or use another --data-dir", "%llu MB are free below %s", mb, folder);
	}
	if (statfs(folder, &kind) == 0 &&
	        ((unsigned long)kind.f_type == OVERLAYFS_MAGIC || (unsigned long)kind.f_type == NFS_MAGIC))
		check_add(c, CHECK_FAIL, "file system", "use a --data-dir on ext4, xfs, btrfs or tmpfs",
		        "%s is on %s, on which containers' overlays can't lie", folder,
		        (unsigned long)kind.f_type == NFS_MAGIC ? "nfs" : "an overlay");
	if (!time_syncs(folder, us)) {
		check_add(c, CHECK_FAIL, "disk speed", "make it writable, or use another --data-dir",
		        "%s can't be written: %s", folder, strerror(errno));
		return;
	}
	qsort(us, SYNCS, sizeof *us, by_size);
	enum check_level level = check_sync_level(us[SYNCS / 2], us[SYNCS - 1], &mend);
	check_add(c, level, "disk speed", mend, "a write is on the disk after %.1f ms, at worst %.1f ms (%s)",
	        (double)us[SYNCS / 2] / 1000, (double)us[SYNCS - 1] / 1000, folder);
}

void check_machine(struct checks *c)
{
	check_ports(c);
	host_name(c);
	clock_is_kept(c);
	memory(c);
	disk(c);
}
