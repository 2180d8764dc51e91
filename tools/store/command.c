/* What the commands over gRPC share: flags, the endpoint that answers, printing of pairs. */
#include "tools/store/command_int.h"

#include "base/base64.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static const char *default_endpoints[] = {"http://127.0.0.1:2379"};

int store_command_load(struct store_command *m, const char *name, const char *summary, const struct flag *more,
        size_t n_more, int argc, char **argv)
{
	struct store_client_settings *v = &m->settings;
	struct err err = ERR_INIT;
	signal(SIGPIPE, SIG_IGN); /* a connection that went away is an error like others */
	v->timeout_s = 5;
	v->output = "table";
	const struct flag common[] = {STORE_CLIENT_FLAGS(v)};
	enum { COMMON = sizeof common / sizeof *common };
	struct flag *table = ARENA_ARRAY(&m->arena, struct flag, COMMON + n_more);
	if (n_more)
		memcpy(table, more, n_more * sizeof *more);
	memcpy(table + n_more, common, sizeof common);
	m->flags = (struct flags){.program = arena_printf(&m->arena, "k3x-store %s", name),
	        .summary = summary,
	        .table = table,
	        .count = COMMON + n_more,
	        .takes_arguments = true};
	m->name = name;
	int rc = flags_load(&m->flags, &m->arena, argc, argv, &err);
	if (rc == 0 && m->flags.want_help) {
		flags_help(&m->flags);
		m->exit_code = 0;
		return 1;
	}
	if (rc == 0 && strcmp(v->output, "table") != 0 && strcmp(v->output, "json") != 0)
		rc = err_set(&err, ERR_INVAL, "--output is table or json, not \"%s\"", v->output);
	if (rc == 0 && (v->timeout_s < 1 || v->timeout_s > 3600))
		rc = err_set(&err, ERR_INVAL, "--timeout is 1 to 3600 seconds");
	if (!v->endpoints.count)
		v->endpoints = (struct flag_list){default_endpoints, 1};
	if (rc == 0)
		rc = store_client_new(v, v->endpoints.items[0], &m->client, &err);
	m->json = strcmp(v->output, "json") == 0;
	if (rc != 0) {
		fprintf(stderr, "k3x-store %s: %s\n", name, err.msg);
		m->exit_code = 2;
	}
	return rc;
}

const char *store_command_argument(struct store_command *m, size_t at)
{
	return at < m->flags.argument_count ? m->flags.arguments[at] : NULL;
}

int store_command_wants(struct store_command *m, size_t min, size_t max, const char *what)
{
	if (m->flags.argument_count >= min && m->flags.argument_count <= max)
		return 0;
	fprintf(stderr, "k3x-store %s takes %s: see --help\n", m->name, what);
	m->exit_code = 2;
	return -1;
}

void *store_command_call(struct store_command *m, const char *method, const ProtobufCMessage *request,
        const ProtobufCMessageDescriptor *answer)
{
	struct flag_list *e = &m->settings.endpoints;
	for (size_t i = 0;; i++) {
		struct err err = ERR_INIT;
		void *got = m->client ? store_client_call(m->client, method, request, answer, &m->arena, &err) : NULL;
		if (got)
			return got;
		/* The next server, when this one could not be reached. */
		if (err.code != ERR_UNAVAILABLE || i + 1 >= e->count) {
			m->exit_code = store_tool_fail(m->name, &err);
			return NULL;
		}
		store_client_free(m->client);
		m->client = NULL;
		if (store_client_new(&m->settings, e->items[i + 1], &m->client, &err) != 0) {
			m->exit_code = store_tool_fail(m->name, &err);
			return NULL;
		}
	}
}

int store_command_end(struct store_command *m)
{
	store_client_free(m->client);
	arena_release(&m->arena);
	fflush(stdout);
	return m->exit_code;
}

ProtobufCBinaryData store_bytes(const char *text)
{
	return (ProtobufCBinaryData){strlen(text), (uint8_t *)text};
}

ProtobufCBinaryData store_prefix_end(struct arena *a, ProtobufCBinaryData key)
{
	uint8_t *end = (uint8_t *)arena_memdup(a, (const char *)key.data, key.len);
	for (size_t n = key.len; n > 0; n--)
		if (end[n - 1] != 0xff) {
			end[n - 1]++;
			return (ProtobufCBinaryData){n, end};
		}
	return (ProtobufCBinaryData){1, (uint8_t *)"\0"};
}

static void set_bytes(json_t *object, const char *name, ProtobufCBinaryData bytes)
{
	struct arena a = ARENA_INIT;
	json_lib_set_str(object, name, base64_encode(&a, (struct slice){(const char *)bytes.data, bytes.len}));
	arena_release(&a);
}

json_t *store_json_pair(const Etcdpb__KeyValue *kv)
{
	json_t *v = json_object();
	set_bytes(v, "key", kv->key);
	json_lib_set_int(v, "create_revision", kv->create_revision);
	json_lib_set_int(v, "mod_revision", kv->mod_revision);
	json_lib_set_int(v, "version", kv->version);
	set_bytes(v, "value", kv->value);
	if (kv->lease)
		json_lib_set_int(v, "lease", kv->lease);
	return v;
}

void store_print_bytes(ProtobufCBinaryData bytes)
{
	fwrite(bytes.data, 1, bytes.len, stdout);
	fputc('\n', stdout);
}
