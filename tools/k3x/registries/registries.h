/* registries.yaml, as k3s has it, for containerd: mirrors of registries, their CAs and certificates, and who may pull
 * there. */
#ifndef K3X_TOOLS_K3X_REGISTRIES_REGISTRIES_H
#define K3X_TOOLS_K3X_REGISTRIES_REGISTRIES_H

#include "base/err.h"
#include "base/json/json.h"

#include <stdbool.h>

/* A registry's hosts.toml. */
struct registry_hosts {
	const char *folder; /* its name in certs.d: "docker.io", "registry.test:5000", "_default" for all others */
	const char *text;
};

/* Where other nodes' images are to be had (--embedded-registry): it is asked first, for each registry that has a place
 * among the mirrors. */
struct registry_peers {
	const char *url, *ca_file, *cert_file, *key_file;
};

/* Takes registries.yaml's text apart. ERR_INVAL names the key and what would be right. The results lie in the arena;
 * `*n` of them. peers: NULL: none. without_default: nothing is pulled from a registry that has mirrors, only from
 * those. */
int registries_parse(struct arena *a, struct slice text, bool without_default, const struct registry_peers *peers,
        struct registry_hosts **ret, size_t *n, struct err *err);

/* Reads the file, if it is there, and writes a folder for each registry into `folder` (containerd's certs.d), which are
 * read at the next pull. Those that are there from an earlier file and are in this one no more go; others' stay.
 * is_named: the file was asked for by name, and has to be there. */
int registries_write(const char *file, bool is_named, bool without_default, const struct registry_peers *peers,
        const char *folder, struct err *err);

#endif
