/* See flannel_settings.h. --flannel-backend is the cluster's; --flannel-conf may say otherwise for one node, as in k3s.
 * Whoever does that knows why: nodes with another backend, VNI or port are not reached. */
#include "tools/k3x/flannel_settings.h"

#include "base/json_lib.h"
#include "base/pki/pki.h"

#include <stdlib.h>

/* What a file has is read by read(), with the cluster's backend known. */
static int load(struct server_settings *s, const char *flag, const char *path,
        int (*read)(struct server_settings *s, struct slice text, struct err *err), struct err *err)
{
	char *text = NULL;
	size_t len = 0;
	int rc = s->fabric_backend == FABRIC_NONE
	                 ? err_set(err, ERR_INVAL,
	                           "with the servers' --flannel-backend=none the pod network is another's")
	                 : pki_file_read(path, &text, &len, err);
	if (rc == 0)
		rc = read(s, (struct slice){text, len}, err);
	free(text);
	return rc == 0 ? 0 : err_wrap(err, "--%s %s", flag, path);
}

static int read_conf(struct server_settings *s, struct slice text, struct err *err)
{
	return fabric_conf_parse(text, s->cluster_cidr, &s->fabric_backend, &s->fabric_conf, err);
}

/* containerd reads it; what can be said of it before pods fail to start is said here. */
static int read_cni(struct server_settings *s, struct slice text, struct err *err)
{
	json_auto_t *v = json_lib_parse(text, err);
	if (!v)
		return err->code;
	if (!json_lib_get_str(v, "name").len || !json_lib_get_str(v, "cniVersion").len ||
	        !json_array_size(json_object_get(v, "plugins")))
		return err_set(
		        err, ERR_INVAL, "it is no CNI configuration list: cniVersion, name and plugins are wanted");
	s->flannel_cni_text = arena_memdup(&s->arena, text.ptr, text.len + 1);
	return 0;
}

int flannel_settings_load(struct server_settings *s, struct err *err)
{
	s->fabric_conf = fabric_conf_default;
	s->flannel_cni_text = NULL;
	if (!fabric_backend_parse(s->flannel_backend, &s->fabric_backend))
		return err_set(
		        err, ERR_INVAL, "--flannel-backend %s: %s is wanted", s->flannel_backend, FABRIC_BACKENDS);
	if (s->flannel_cni_conf && load(s, "flannel-cni-conf", s->flannel_cni_conf, read_cni, err) != 0)
		return err->code;
	return s->flannel_conf ? load(s, "flannel-conf", s->flannel_conf, read_conf, err) : 0;
}
