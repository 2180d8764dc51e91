/* --kube-controller-manager-arg=NAME=VALUE: the arguments of kube-controller-manager that mean something here. */
#ifndef K3X_TOOLS_K3X_CONTROLLER_ARGS_H
#define K3X_TOOLS_K3X_CONTROLLER_ARGS_H

#include "api/controllers/arguments.h"
#include "base/err.h"
#include "base/flags.h"

/* Fills *ret from its defaults and the arguments given, each NAME=VALUE, with or without dashes before the name.
 * ERR_INVAL names the argument and what would be right; ERR_UNIMPLEMENTED is of every other name. Any thread. */
int controller_args_load(const struct flag_list *given, struct controllers_arguments *ret, struct err *err);

#endif
