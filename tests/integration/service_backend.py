"""What service_net_test.sh asks. service_backend.py NAME: answers over HTTP and UDP at port 8080 with its name and the client's
address. service_backend.py --ask ADDRESS PORT FILE: asks over UDP from one port, ten times a second; the last answer, or `none`
when there was none for half a second, stands in the file."""
import http.server, os, socket, sys, threading, time


class Answer(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        body = ("%s %s" % (sys.argv[1], self.client_address[0])).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def answer_udp():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("0.0.0.0", 8080))
    while True:
        _, client = s.recvfrom(1500)
        s.sendto(sys.argv[1].encode(), client)


def ask(address, port, path):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("0.0.0.0", 40000))
    s.settimeout(0.1)
    last, said = "none", 0
    while True:
        try:
            s.sendto(b"?", (address, port))
            last, said = s.recv(1500).decode(), time.monotonic()
            time.sleep(0.1)
        except OSError:  # silence, or that nobody listens
            if time.monotonic() - said > 0.5:
                last = "none"
        with open(path + ".new", "w") as f:
            f.write(last)
        os.rename(path + ".new", path)


if sys.argv[1] == "--ask":
    ask(sys.argv[2], int(sys.argv[3]), sys.argv[4])
threading.Thread(target=answer_udp, daemon=True).start()
http.server.ThreadingHTTPServer(("0.0.0.0", 8080), Answer).serve_forever()
