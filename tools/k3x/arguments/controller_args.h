/* --kube-controller-manager-arg=NAME=VALUE: the arguments of kube-controller-manager that mean something here. */
#ifndef K3X_TOOLS_K3X_ARGUMENTS_CONTROLLER_ARGS_H
#define K3X_TOOLS_K3X_ARGUMENTS_CONTROLLER_ARGS_H

#include "api/controllers/arguments.h"
#include "base/err.h"
#include "base/flags.h"

/* Fills *ret from its defaults and the arguments given, as arguments_load() does. Any thread. */
int controller_args_load(
        const struct flag_list *given, struct arena *a, struct controllers_arguments *ret, struct err *err);

#endif
