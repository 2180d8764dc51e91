/* See settings.h. */
#include "tools/snapshots/settings.h"

#include "base/time/duration.h"

#include <ctype.h>
#include <string.h>
#include <unistd.h>

enum { NAME_BYTES_MAX = 128 };

void snapshot_settings_init(struct snapshot_settings *v)
{
	*v = (struct snapshot_settings){.name = "etcd-snapshot",
	        .cron_text = SNAPSHOT_CRON_DEFAULT,
	        .retention = SNAPSHOT_RETENTION_DEFAULT,
	        .s3 = {.retention = SNAPSHOT_RETENTION_DEFAULT}};
}

bool snapshot_name_is_good(const char *name)
{
	size_t n = strlen(name);
	if (!n || n > NAME_BYTES_MAX || name[0] == '.')
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)name[i]) && !strchr("-_.", name[i]))
			return false;
	return true;
}

/* ---- checking ---- */

static bool is_host(const char *text)
{
	return *text && !strstr(text, "://") && !strpbrk(text, "/ @?#");
}

static bool is_folder(const char *text)
{
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f)
			return false;
	return !strstr(text, "..");
}

static int check_s3(struct s3_settings *s, struct err *err)
{
	if (!duration_parse_ms(s->timeout, &s->timeout_ms) || s->timeout_ms < 1000)
		return err_set(err, ERR_INVAL, "--etcd-s3-timeout: \"%s\" is not a span of at least a second, like 5m",
		        s->timeout);
	if (s->retention < 0)
		return err_set(err, ERR_INVAL, "--etcd-s3-retention: %lld is less than 0", (long long)s->retention);
	if (strcmp(s->lookup, "auto") != 0 && strcmp(s->lookup, "path") != 0 && strcmp(s->lookup, "dns") != 0)
		return err_set(
		        err, ERR_INVAL, "--etcd-s3-bucket-lookup-type: \"%s\" is none of auto, path, dns", s->lookup);
	if (!is_host(s->endpoint))
		return err_set(err, ERR_INVAL,
		        "--etcd-s3-endpoint: \"%s\" is not a host name, or host:port, without https://", s->endpoint);
	if (s->folder && !is_folder(s->folder))
		return err_set(err, ERR_INVAL, "--etcd-s3-folder: \"%s\" is not like backups/k3x", s->folder);
	if (s->config_secret && !snapshot_name_is_good(s->config_secret))
		return err_set(
		        err, ERR_INVAL, "--etcd-s3-config-secret: \"%s\" is not a Secret's name", s->config_secret);
	if (s->endpoint_ca && s->is_on && access(s->endpoint_ca, R_OK) != 0)
		return err_set(err, ERR_INVAL, "--etcd-s3-endpoint-ca: %s can't be read", s->endpoint_ca);
	if (!s->is_on || s->config_secret)
		return 0;
	if (!s->bucket || !snapshot_name_is_good(s->bucket))
		return err_set(err, ERR_INVAL, "--etcd-s3 needs --etcd-s3-bucket, the name of one that is there");
	if (!s->access_key || !s->secret_key)
		return err_set(err, ERR_INVAL,
		        "--etcd-s3 needs --etcd-s3-access-key and --etcd-s3-secret-key (or "
		        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)");
	return 0;
}

static void default_to(const char **setting, const char *text)
{
	if (!*setting || !**setting)
		*setting = text;
}

int s3_settings_complete(struct s3_settings *v, struct err *err)
{
	default_to(&v->endpoint, "s3.amazonaws.com");
	default_to(&v->lookup, "auto");
	default_to(&v->region, "us-east-1");
	default_to(&v->timeout, "5m");
	return check_s3(v, err);
}

int snapshot_settings_check(struct snapshot_settings *v, struct err *err)
{
	if (cron_parse(slice_of(v->cron_text), &v->cron, err) != 0)
		return err_wrap(err, "--etcd-snapshot-schedule-cron: \"%s\"", v->cron_text);
	if (!snapshot_name_is_good(v->name))
		return err_set(err, ERR_INVAL,
		        "--etcd-snapshot-name: \"%s\" is not of letters, digits, '-', '_' and '.'", v->name);
	if (v->retention < 0)
		return err_set(
		        err, ERR_INVAL, "--etcd-snapshot-retention: %lld is less than 0", (long long)v->retention);
	if (v->dir && *v->dir != '/')
		return err_set(err, ERR_INVAL, "--etcd-snapshot-dir: \"%s\" is not the whole path of a folder", v->dir);
	struct s3_settings trial = v->s3; /* what was not said stays so: a Secret may say it */
	return s3_settings_complete(&trial, err);
}
