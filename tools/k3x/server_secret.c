/* See server_secret.h. Through the API, for there a Secret may be encrypted at rest, and nobody else can read that. */
#include "tools/k3x/server_secret.h"

#include "base/pki/pki.h"
#include "tools/k3x/join/join_http.h"
#include "tools/snapshots/s3_secret.h"

#include <stdlib.h>

enum { ASK_MS = 5000 };

static int get(void *arg, const char *path, struct strbuf *answer, struct err *err)
{
	struct server_settings s = *(const struct server_settings *)arg;
	char *ca;
	s.arena = ARENA_INIT; /* an arena is one thread's */
	if (pki_file_read(server_file(&s, "server/tls/server-ca.crt"), &ca, NULL, err) == 0) {
		struct join_http h = {.url = arena_printf(&s.arena, "https://127.0.0.1:%d", (int)s.https_port),
		        .ca_pem = ca,
		        .cert_file = server_file(&s, "server/tls/client-admin.crt"),
		        .key_file = server_file(&s, "server/tls/client-admin.key"),
		        .method = "GET",
		        .path = path,
		        .timeout_ms = ASK_MS};
		join_http_call(&h, answer, err);
		free(ca);
	}
	arena_release(&s.arena);
	return err->code;
}

int server_s3_resolve(const struct server_settings *s, const struct s3_settings *from, struct arena *a,
        struct s3_settings *ret, struct err *err)
{
	struct s3_secret_source source = {get, (void *)(uintptr_t)s};
	return s3_settings_resolve(from, &source, a, ret, err);
}
