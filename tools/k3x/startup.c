/* See startup.h. What the system does not let us do is told, and done without; but for a log that was asked for. */
#include "tools/k3x/startup.h"

#include "base/log.h"
#include "base/proc/process.h"
#include "tools/k3x/registries/registries.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

/* From this verbosity on kubernetes programs tell what only their developers want to know. */
enum { DEBUG_VERBOSITY = 4 };

int startup_open_log(struct server_settings *s, struct err *err)
{
	if (s->debug || s->verbosity >= DEBUG_VERBOSITY)
		log_set_level(LOG_DEBUG);
	if (!s->log_file) {
		log_adopt_journal();
		return 0;
	}
	if (log_open_file(s->log_file, s->log_max_mb << 20, (unsigned)s->log_max_files, err) != 0)
		return err->code;
	log_set_copy(s->log_to_both);
	return 0;
}

int startup_write_registries(struct server_settings *s, struct err *err)
{
	const char *file = s->private_registry ? s->private_registry : "/etc/k3x/registries.yaml";
	if (!s->is_agent && s->disable_agent)
		return 0;
	if (s->container_runtime_endpoint)
		return s->private_registry
		               ? err_set(err, ERR_INVAL,
		                         "--private-registry is for the containerd that k3x starts: the runtime at "
		                         "--container-runtime-endpoint has its own settings")
		               : 0;
	struct registry_peers peers = {.url = arena_printf(&s->arena, "https://127.0.0.1:%d", (int)s->kubelet_port),
	        .ca_file = server_file(s, s->is_agent ? "agent/server-ca.crt" : "server/tls/server-ca.crt"),
	        .cert_file = server_file(s, "agent/client-kubelet.crt"),
	        .key_file = server_file(s, "agent/client-kubelet.key")};
	return registries_write(file, s->private_registry != NULL, s->without_default_registries,
	        s->embedded_registry ? &peers : NULL, server_file(s, "agent/etc/containerd/certs.d"), err);
}

static int note_process(struct server_settings *s, struct err *err)
{
	const char *path = server_file(s, "k3x.pid");
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_errno(err, errno, "open %s", path);
	if (flock(fd, LOCK_EX | LOCK_NB) == 0 && ftruncate(fd, 0) == 0 && dprintf(fd, "%d\n", getpid()) > 0)
		return 0; /* it is open, and locked, until this process ends */
	err_errno(err, errno, "write this process's id to %s", path);
	close(fd);
	return err->code;
}

void startup_note_process(struct server_settings *s)
{
	struct err err = ERR_INIT;
	if (note_process(s, &err) != 0)
		log_warn("server", "k3x killall will not find this process", "error=\"%s\"", err.msg);
}

void startup_go_last_when_memory_is_short(void)
{
	struct err err = ERR_INIT;
	if (process_set_own_oom_score(&err) != 0)
		log_warn("server", "this process is as likely to be killed as a pod when memory is short",
		        "error=\"%s\"", err.msg);
}
