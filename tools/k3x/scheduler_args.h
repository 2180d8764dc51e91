/* --kube-scheduler-arg=NAME=VALUE: of kube-scheduler's arguments `config` alone means something here, a file with a
 * KubeSchedulerConfiguration (api/scheduler/configuration.h). */
#ifndef K3X_TOOLS_K3X_SCHEDULER_ARGS_H
#define K3X_TOOLS_K3X_SCHEDULER_ARGS_H

#include "api/scheduler/configuration.h"
#include "base/flags.h"

/* Fills *ret, in the arena, from its defaults and the arguments given, each NAME=VALUE, with or without dashes before
 * the name. ERR_INVAL names the argument, the file and the member and what would be right; ERR_UNIMPLEMENTED is of
 * every other name. Any thread; reads the file. */
int scheduler_args_load(
        const struct flag_list *given, struct arena *a, struct scheduler_configuration *ret, struct err *err);

#endif
