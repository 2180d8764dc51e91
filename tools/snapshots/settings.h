/* How snapshots are made and where they go: flags of `k3x server` and of `k3x etcd-snapshot`, with k3s's names. */
#ifndef K3X_TOOLS_SNAPSHOTS_SETTINGS_H
#define K3X_TOOLS_SNAPSHOTS_SETTINGS_H

#include "base/time/cron.h"
#include "base/flags.h"

/* What was not said is NULL until s3_settings_resolve() (s3_secret.h). */
struct s3_settings {
	bool is_on;
	const char *config_secret;   /* in kube-system: says what the flags do not */
	const char *endpoint_ca_pem; /* beside endpoint_ca: as the Secret has it */
	const char *endpoint, *endpoint_ca, *bucket, *lookup, *region, *folder, *access_key, *secret_key,
	        *session_token, *proxy, *timeout;
	bool skip_ssl_verify, is_insecure;
	int64_t retention;
	uint64_t timeout_ms; /* of `timeout`, when they were checked */
};

struct snapshot_settings {
	const char *name; /* what a snapshot's name begins with */
	const char *dir;  /* NULL: server/db/snapshots of the data directory */
	const char *cron_text;
	struct cron cron; /* of that, when they were checked */
	int64_t retention;
	bool is_packed, is_disabled;
	struct s3_settings s3;
};

#define SNAPSHOT_CRON_DEFAULT \
	"0 *" \
	"/12 * * *"
enum { SNAPSHOT_RETENTION_DEFAULT = 5 };

/* The defaults of a server. */
void snapshot_settings_init(struct snapshot_settings *v);

/* Flags that server and commands share; `p` is what stands before each name: "etcd-", or "" for the commands' short
 * form, which is not listed. */
#define S3_FLAGS(v, p, listed) \
	{p "s3", 0, FLAG_BOOL, &(v)->s3.is_on, NULL, listed("keep snapshots in an S3-compatible store too"), NULL}, \
	        {p "s3-endpoint", 0, FLAG_STRING, &(v)->s3.endpoint, NULL, \
	                listed("its host name, or host:port (s3.amazonaws.com)"), NULL}, \
	        {p "s3-endpoint-ca", 0, FLAG_STRING, &(v)->s3.endpoint_ca, NULL, \
	                listed("file with the CA of its certificate"), NULL}, \
	        {p "s3-skip-ssl-verify", 0, FLAG_BOOL, &(v)->s3.skip_ssl_verify, NULL, \
	                listed("take any certificate of it"), NULL}, \
	        {p "s3-access-key", 0, FLAG_STRING, &(v)->s3.access_key, "AWS_ACCESS_KEY_ID", listed("access key"), \
	                NULL}, \
	        {p "s3-secret-key", 0, FLAG_STRING, &(v)->s3.secret_key, "AWS_SECRET_ACCESS_KEY", \
	                listed("its secret"), NULL}, \
	        {p "s3-session-token", 0, FLAG_STRING, &(v)->s3.session_token, "AWS_SESSION_TOKEN", \
	                listed("session token, with a key that has one"), NULL}, \
	        {p "s3-bucket", 0, FLAG_STRING, &(v)->s3.bucket, NULL, listed("bucket, which must be there"), NULL}, \
	        {p "s3-bucket-lookup-type", 0, FLAG_STRING, &(v)->s3.lookup, NULL, \
	                listed("bucket in the path or in the host name: auto, path, dns (auto)"), NULL}, \
	        {p "s3-region", 0, FLAG_STRING, &(v)->s3.region, NULL, listed("region (us-east-1)"), NULL}, \
	        {p "s3-folder", 0, FLAG_STRING, &(v)->s3.folder, NULL, listed("folder in the bucket"), NULL}, \
	        {p "s3-proxy", 0, FLAG_STRING, &(v)->s3.proxy, NULL, listed("HTTP proxy on the way there"), NULL}, \
	        {p "s3-insecure", 0, FLAG_BOOL, &(v)->s3.is_insecure, NULL, listed("plain HTTP"), NULL}, \
	        {p "s3-timeout", 0, FLAG_STRING, &(v)->s3.timeout, NULL, listed("how long a transfer may take (5m)"), \
	                NULL}, \
	        {p "s3-config-secret", 0, FLAG_STRING, &(v)->s3.config_secret, NULL, \
	                listed("Secret in kube-system that says what the flags do not"), NULL}, \
	{ \
		p "s3-retention", 0, FLAG_INT, &(v)->s3.retention, NULL, \
		        listed("snapshots of a name to keep there; 0: all (a server's own: 5)"), NULL \
	}
#define FLAGS_LISTED(text) text
#define FLAGS_UNLISTED(text) NULL

/* The spans, the cron expression and what S3 needs are right: ERR_INVAL names the flag. What a Secret is to say is not
 * missed. */
int snapshot_settings_check(struct snapshot_settings *v, struct err *err);
/* The defaults in the place of what is NULL, and the same for S3 alone. */
int s3_settings_complete(struct s3_settings *v, struct err *err);

/* A name for a snapshot may be of letters, digits, '-', '_' and '.', and not begin with a dot. */
bool snapshot_name_is_good(const char *name);

#endif
