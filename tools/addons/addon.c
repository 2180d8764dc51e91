/* See addon.h. */
#include "tools/addons/addon.h"

#include "base/log.h"
#include "base/mem/spare.h"
#include "base/proc/process.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static void client_closed(void *arg)
{
	struct addon *addon = arg;
	signals_close(&addon->signals);
	loop_stop(&addon->loop);
}

void addon_stopped(void *arg)
{
	struct addon *addon = arg;
	if (addon->client)
		client_close(addon->client, client_closed, addon);
	else
		client_closed(addon);
}

static void stop(struct addon *addon)
{
	addon->is_stopping = true;
	log_info(addon->ops->name, "stopping", "%s", "");
	addon->ops->stop(addon);
}

void addon_fail(void *arg)
{
	struct addon *addon = arg;
	addon->exit_code = 1;
	if (!addon->is_stopping)
		stop(addon);
}

static void told(void *arg, int number)
{
	struct addon *addon = arg;
	if (number == SIGUSR1 || number == SIGHUP)
		addon->ops->reload(addon);
	else if (addon->is_stopping)
		_exit(1); /* asked twice */
	else
		stop(addon);
}

static int find_cluster(struct addon *addon, struct err *err)
{
	if (in_cluster_find(&addon->arena, addon->kubeconfig, &addon->cluster, err) == 0)
		return in_cluster_client(&addon->cluster, &addon->loop, &addon->client, err);
	if (err->code != ERR_NOT_FOUND || addon->kubeconfig || addon->ops->needs_cluster)
		return err->code;
	*err = (struct err)ERR_INIT;
	return 0;
}

static int start(struct addon *addon, struct err *err)
{
	if (addon->log_level && log_set_level_by_name(addon->log_level, err) != 0)
		return err_wrap(err, "--log-level");
	loop_init(&addon->loop, addon->ops->name);
	loop_own(&addon->loop);
	signals_watch(&addon->signals, &addon->loop, told, addon);
	if (addon->ops->reload) {
		signals_add(&addon->signals, &addon->loop, SIGUSR1);
		signals_add(&addon->signals, &addon->loop, SIGHUP);
	}
	return find_cluster(addon, err) == 0 ? addon->ops->start(addon, err) : err->code;
}

int addon_main(struct addon *addon, const struct addon_ops *ops, struct flags *flags, int argc, char **argv)
{
	struct err err = ERR_INIT;
	addon->ops = ops;
	spare_memory();
	process_raise_file_limit();
	int rc = flags_load(flags, &addon->arena, argc, argv, &err);
	if (rc == 0 && flags->want_help) {
		flags_help(flags);
		return 0;
	}
	if (rc != 0 || start(addon, &err) != 0) {
		fprintf(stderr, "%s: %s\n", flags->program, err.msg);
		return err_exit_code(err.code); /* the process ends: what is open ends with it */
	}
	loop_run(&addon->loop);
	loop_release(&addon->loop);
	arena_release(&addon->arena);
	return addon->exit_code;
}
