/* See device_room_int.h. A plugin registers; we connect to its socket; it lists its devices, and again when they
 * change. At the start the folder's sockets are removed, by which plugins notice that they have to register again.
 *
 * What can go wrong: a plugin goes: its devices are no more given out, containers keep theirs; the checkpoint cannot be
 * written: it is told in the log; it is not ours: the node does not start. */
#include "node/devices/device_room_int.h"

#include "base/check.h"
#include "base/file/file_dirs.h"
#include "base/log.h"
#include "node/devices/registration_int.h"
#include "node/ground/files.h"
#include "node/ground/node_record.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHECKPOINT_BYTES_MAX = 16 << 20 };

static void plugin_is_closed(void *arg)
{
	closing_part_done(&((struct device_room *)arg)->parts);
}

/* ---- the checkpoint ---- */

void device_room_save(struct device_room *d)
{
	struct strbuf b = STRBUF_INIT;
	struct err err = ERR_INIT;
	CLEANUP(cleanup_free) char *file = xprintf("%s/k3x_checkpoint", d->dir);
	device_ledger_write(&d->ledger, &b);
	if (file_replace(file, strbuf_slice(&b), 0600, true, &err) != 0)
		log_error("node", "cannot write the checkpoint of devices", "error=\"%s\"", err.msg);
	strbuf_release(&b);
}

static int restore(struct device_room *d, struct err *err)
{
	char file[4096];
	size_t len = 0;
	snprintf(file, sizeof file, "%s/k3x_checkpoint", d->dir);
	CLEANUP(cleanup_free) char *text = file_read(file, CHECKPOINT_BYTES_MAX, false, &len);
	if (!text)
		return errno == ENOENT ? 0 : err_errno(err, errno, "read %s", file);
	if (device_ledger_read(&d->ledger, (struct slice){text, len}, err) != 0)
		return err_wrap(err, "%s is not of this node: drain the node, remove the file and start again", file);
	return 0;
}

/* ---- plugins ---- */

struct plugin *device_room_plugin(const struct device_room *d, const char *resource)
{
	for (size_t i = 0; i < d->plugins_count; i++)
		if (strcmp(plugin_resource(d->plugins[i]), resource) == 0)
			return d->plugins[i];
	return NULL;
}

static void drop_plugin(struct device_room *d, struct plugin *p)
{
	struct device_resource *r = device_ledger_need(&d->ledger, slice_of(plugin_resource(p)));
	r->is_connected = false;
	r->gone_ms = loop_now_ms(d->n->loop);
	for (size_t i = 0; i < d->plugins_count; i++)
		if (d->plugins[i] == p) {
			d->plugins[i] = d->plugins[--d->plugins_count];
			break;
		}
	closing_hold(&d->parts);
	plugin_close(p, plugin_is_closed, d);
}

static void plugin_gone(void *arg, struct plugin *p)
{
	struct device_room *d = arg;
	LOOP_CHECK_OWNER(d->n->loop);
	drop_plugin(d, p);
	d->changed(d->n);
}

static void plugin_devices(void *arg, struct plugin *p, const struct device *list, size_t count)
{
	struct device_room *d = arg;
	struct device_resource *r = device_ledger_need(&d->ledger, slice_of(plugin_resource(p)));
	device_resource_set(r, list, count);
	r->is_connected = true;
	log_info("node", "devices of a plugin", "resource=%s devices=%zu healthy=%zu", r->name, r->count,
	        device_resource_allocatable(r));
	d->changed(d->n);
}

static int registered(void *arg, const struct registration_request *q, struct err *err)
{
	struct device_room *d = arg;
	struct plugin *old = device_room_plugin(d, q->resource);
	LOOP_CHECK_OWNER(d->n->loop);
	if (d->n->closing)
		return err_set(err, ERR_BUSY, "the node closes");
	if (old)
		drop_plugin(d, old);
	if (d->plugins_count == PLUGINS_MAX)
		return err_set(err, ERR_BUSY, "there are %d plugins already", PLUGINS_MAX);
	char socket[4096];
	snprintf(socket, sizeof socket, "%s/%s", d->dir, q->endpoint);
	log_info("node", "a device plugin registers", "resource=%s endpoint=%s", q->resource, q->endpoint);
	device_ledger_need(&d->ledger, slice_of(q->resource));
	device_room_save(d);
	struct plugin_options o = {.loop = d->n->loop,
	        .socket = socket,
	        .resource = q->resource,
	        .has_preferred = q->has_preferred,
	        .needs_pre_start = q->needs_pre_start,
	        .on_devices = plugin_devices,
	        .on_gone = plugin_gone,
	        .arg = d};
	d->plugins[d->plugins_count++] = plugin_new(&o);
	return 0;
}

/* ---- life ---- */

static void remove_sockets(const char *dir)
{
	DIR *folder = opendir(dir);
	struct stat st;
	for (struct dirent *e; folder && (e = readdir(folder));)
		if (fstatat(dirfd(folder), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISSOCK(st.st_mode))
			unlinkat(dirfd(folder), e->d_name, 0);
	if (folder)
		closedir(folder);
}

int device_room_open(struct device_room *d, struct err *err)
{
	char socket[4096];
	snprintf(socket, sizeof socket, "%s/kubelet.sock", d->dir);
	if (file_make_dirs(d->dir, 0750, err) != 0 || restore(d, err) != 0)
		return err->code;
	remove_sockets(d->dir);
	return registration_new(d->n->loop, socket, registered, d, &d->registration, err);
}

static void all_closed(struct closing *parts)
{
	struct device_room *d = CONTAINER_OF(parts, struct device_room, parts);
	d->closed(d->closed_arg);
}

void device_room_close(struct device_room *d, void (*closed)(void *arg), void *arg)
{
	LOOP_CHECK_OWNER(d->n->loop);
	d->closed = closed;
	d->closed_arg = arg;
	d->parts.all_closed = all_closed;
	closing_hold(&d->parts);
	if (d->registration)
		closing_hold(&d->parts), registration_close(TAKE(d->registration), plugin_is_closed, d);
	while (d->plugins_count)
		drop_plugin(d, d->plugins[0]);
	closing_part_done(&d->parts);
}
