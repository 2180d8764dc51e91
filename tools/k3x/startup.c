/* See startup.h. What the system does not let us do is told, and done without; but for a log that was asked for. */
#include "tools/k3x/startup.h"

#include "base/log.h"
#include "base/proc/process.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>

int startup_open_log(struct server_settings *s, struct err *err)
{
	if (s->debug)
		log_set_level(LOG_DEBUG);
	if (!s->log_file)
		return 0;
	int fd = open(s->log_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	if (fd < 0)
		return err_errno(err, errno, "open log %s", s->log_file);
	log_set_fd(fd);
	return 0;
}

void startup_raise_file_limit(void)
{
	struct rlimit l;
	if (getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur < l.rlim_max) {
		l.rlim_cur = l.rlim_max;
		setrlimit(RLIMIT_NOFILE, &l);
	}
}

void startup_go_last_when_memory_is_short(void)
{
	struct err err = ERR_INIT;
	if (process_set_own_oom_score(&err) != 0)
		log_warn("server", "this process is as likely to be killed as a pod when memory is short",
		        "error=\"%s\"", err.msg);
}
