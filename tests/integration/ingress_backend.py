"""A server behind the ingress: NAME PORT [ADDRESS...]. Answers with what it was asked, as JSON; some paths do otherwise."""
import http.server, json, socket, socketserver, sys, threading, time

name, port, addresses = sys.argv[1], int(sys.argv[2]), sys.argv[3:]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def body(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            data = b""
            while size := int(self.rfile.readline(), 16):
                data += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return data
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def do_GET(self):
        if self.headers.get("Upgrade", "").lower() == "websocket":
            return self.upgrade()
        body = self.body()
        if self.path.startswith("/stream"):
            return self.stream()
        if self.path.startswith("/slow"):
            print("slow begins", flush=True)
            time.sleep(3)
        if self.path.startswith("/broken"):
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")
            self.close_connection = True
            return
        if self.path.startswith("/status/"):  # whatever it is
            self.wfile.write(b"HTTP/1.1 %s Odd\r\nContent-Length: 2\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nok" % self.path[8:].encode())
            self.close_connection = True
            return
        text = json.dumps({"name": name, "method": self.command, "path": self.path, "length": len(body),
                           "headers": {k.lower(): v for k, v in self.headers.items()}}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.send_header("X-Backend", name)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = do_GET

    def stream(self):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for i in range(200):
            piece = b"x" * 50000
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    # No frames: whatever comes goes back, which is all that an upgrade is to who passes it on.
    def upgrade(self):
        self.send_response(101)
        self.send_header("Connection", "Upgrade")
        self.send_header("Upgrade", "websocket")
        self.end_headers()
        while data := self.connection.recv(65536):
            self.connection.sendall(data)
        self.close_connection = True


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 256


class Server6(Server):
    address_family = socket.AF_INET6


servers = [(Server6 if ":" in a else Server)((a, port), Handler) for a in addresses or ["0.0.0.0"]]
for s in servers[1:]:
    threading.Thread(target=s.serve_forever, daemon=True).start()
servers[0].serve_forever()
