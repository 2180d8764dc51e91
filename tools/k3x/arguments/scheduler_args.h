/* --kube-scheduler-arg=NAME=VALUE: of kube-scheduler's arguments `config` alone means something here, a file with a
 * KubeSchedulerConfiguration (api/scheduler/configuration.h). */
#ifndef K3X_TOOLS_K3X_ARGUMENTS_SCHEDULER_ARGS_H
#define K3X_TOOLS_K3X_ARGUMENTS_SCHEDULER_ARGS_H

#include "api/scheduler/configuration.h"
#include "base/flags.h"

/* Fills *ret, in the arena, from its defaults and the arguments given, as arguments_load() does; errors of the file
 * name it and the member. Any thread; reads the file. */
int scheduler_args_load(
        const struct flag_list *given, struct arena *a, struct scheduler_configuration *ret, struct err *err);

#endif
