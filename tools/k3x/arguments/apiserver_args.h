/* --kube-apiserver-arg=NAME=VALUE: arguments of kube-apiserver, as k3s passes them on. One table says which are known,
 * of what type they are and what they set. */
#ifndef K3X_TOOLS_K3X_ARGUMENTS_APISERVER_ARGS_H
#define K3X_TOOLS_K3X_ARGUMENTS_APISERVER_ARGS_H

#include "api/server/arguments.h"
#include "base/err.h"
#include "base/mem/arena.h"

/* Fills *ret from its defaults and the arguments given, as arguments_load() does. Any thread. */
int apiserver_args_load(const struct flag_list *given, struct arena *a, struct api_arguments *ret, struct err *err);

#endif
