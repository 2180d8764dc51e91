/* A web server as a WebAssembly container: answers every request with one line, "hello from NAME", by the socket calls
 * that WasmEdge adds to WASI preview 1. /exit ends it with code 7, /trap by a trap. Listens on the port of its first
 * argument. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WASI(name) __attribute__((import_module("wasi_snapshot_preview1"), import_name(#name)))

struct address {
	const uint8_t *bytes;
	uint32_t size;
};
struct part {
	const void *bytes;
	uint32_t size;
};
enum { INET4 = 1, STREAM = 2, SOCKET_LEVEL = 0, REUSE_ADDRESS = 0 };

uint32_t sock_open(uint32_t family, uint32_t type, uint32_t *fd) WASI(sock_open);
uint32_t sock_bind(uint32_t fd, const struct address *address, uint32_t port) WASI(sock_bind);
uint32_t sock_set(uint32_t fd, uint32_t level, uint32_t name, const uint32_t *value, uint32_t size)
        WASI(sock_setsockopt);
uint32_t sock_listen(uint32_t fd, uint32_t backlog) WASI(sock_listen);
uint32_t sock_take(uint32_t fd, uint32_t *accepted) WASI(sock_accept);
uint32_t sock_read(uint32_t fd, struct part *parts, uint32_t count, uint32_t flags, uint32_t *size, uint32_t *ro_flags)
        WASI(sock_recv);
uint32_t sock_write(uint32_t fd, const struct part *parts, uint32_t count, uint32_t flags, uint32_t *size)
        WASI(sock_send);
uint32_t fd_shut(uint32_t fd) WASI(fd_close);

static void check(uint32_t error, const char *what)
{
	if (!error)
		return;
	fprintf(stderr, "%s: error %u\n", what, error);
	exit(1);
}

static void serve(uint32_t fd)
{
	static char request[4096], answer[256];
	const char *name = getenv("HOSTNAME");
	struct part in = {request, sizeof request - 1};
	uint32_t n = 0, flags = 0;
	if (sock_read(fd, &in, 1, 0, &n, &flags) != 0)
		n = 0;
	request[n] = 0;
	if (strncmp(request, "GET /exit", 9) == 0)
		exit(7);
	if (strncmp(request, "GET /trap", 9) == 0)
		__builtin_trap();
	int len = snprintf(answer, sizeof answer, "HTTP/1.0 200 OK\r\nContent-Length: %zu\r\n\r\nhello from %s\n",
	        strlen(name ? name : "?") + 12, name ? name : "?");
	struct part out = {answer, (uint32_t)len};
	sock_write(fd, &out, 1, 0, &n);
	fd_shut(fd);
}

int main(int argc, char **argv)
{
	static const uint8_t any[4] = {0, 0, 0, 0};
	struct address address = {any, sizeof any};
	uint32_t fd = 0, accepted = 0;
	check(sock_open(INET4, STREAM, &fd), "open");
	/* A restarted container finds its network as the one before it left it. */
	const uint32_t yes = 1;
	check(sock_set(fd, SOCKET_LEVEL, REUSE_ADDRESS, &yes, sizeof yes), "reuse the address");
	check(sock_bind(fd, &address, (uint32_t)atoi(argc > 1 ? argv[1] : "8080")), "bind");
	check(sock_listen(fd, 64), "listen");
	puts("listening");
	fflush(stdout);
	for (;;) {
		check(sock_take(fd, &accepted), "accept");
		serve(accepted);
	}
}
