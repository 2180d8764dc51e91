/* The controllers that upstream runs in kube-controller-manager, on one loop over shared informers.
 *
 * See README.md for which there are. Each acts under an identity of its own, with the rights of its role alone; what
 * they listen to, the informers of the set, is read by the controller manager, and the scheduler may share it. All
 * functions on the client's loop. */
#ifndef K3X_API_CONTROLLERS_CONTROLLERS_H
#define K3X_API_CONTROLLERS_CONTROLLERS_H

#include "api/client/client.h"
#include "api/client/informer_set.h"
#include "api/controllers/arguments.h"

struct controllers;

struct controllers_options {
	struct client *client; /* the controller manager's; borrowed */
	/* A client of the same loop that acts as this service account of kube-system; borrowed until all is closed.
	 * NULL: all act as the controller manager. */
	struct client *(*client_as)(void *arg, const char *account);
	void *client_as_arg;
	struct informer_set *informers; /* borrowed; closed by the caller after controllers_close() has completed */
	const char *root_ca_file;       /* PEM: becomes kube-root-ca.crt in every namespace; NULL: not published */
	/* CAs, PEM, the key beside each: what signs requests for certificates of clients, and of kubelets' servers.
	 * NULL: nothing is signed. Read anew for every certificate. */
	const char *client_ca_file, *client_ca_key_file, *server_ca_file, *server_ca_key_file;
	const char *cluster_cidr;   /* "10.42.0.0/16,fd00:42::/56": nodes get a part of each; NULL: none */
	bool serves_load_balancers; /* services of that type get the addresses of nodes (servicelb.c) */
	const int *reserved_ports;  /* which no such service gets, the API's first; ends with 0; NULL: none */
	const char *manifests_dir;  /* DATA/server/manifests, whose files are applied; NULL: none */
	bool installs_charts;       /* HelmCharts are (helm_charts.c) */
	const char *helm_job_image; /* that runs helm for charts that name none; NULL: none */
	/* Names of Addons that are to go, with what they applied. */
	const char *const *disabled_addons;
	size_t n_disabled_addons;
	struct controllers_arguments arguments;
};

/* Starts them: they act once the informers are synced. ERR_INVAL or ERR_IO when an option is wrong. Options are copied.
 */
int controllers_new(const struct controllers_options *options, struct controllers **ret, struct err *err);
void controllers_close(struct controllers *c, void (*closed)(void *arg), void *arg);

#endif
