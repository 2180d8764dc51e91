#!/usr/bin/env python3
"""A logind of the tests' own on a D-Bus bus: Inhibit, InhibitDelayMaxUSec, PrepareForShutdown.

    _logind.py BUS_SOCKET DELAY_S CONF_FILE FOLDER

It owns org.freedesktop.login1 and org.freedesktop.systemd1. A line on its input is an order: "down" and "stay" send
PrepareForShutdown. In FOLDER it writes `locked` while somebody holds its lock, and `calls`, what was called. A delay in
CONF_FILE counts from the next KillUnit on.
"""
import array, os, re, select, socket, struct, sys, threading

path, delay_s, conf, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
bus = socket.socket(socket.AF_UNIX)
bus.connect(path)
serial = 0


def pad(b, n):
    return b + b"\0" * (-len(b) % n)


def text(s):
    return struct.pack("<I", len(s)) + s.encode() + b"\0"


def field(code, kind, value):
    body = struct.pack("<I", value) if kind == "u" else bytes([len(value)]) + value.encode() + b"\0" if kind == "g" else text(value)
    return bytes([code, 1]) + kind.encode() + b"\0" + body


def send(kind, fields, body=b"", fd=None):
    global serial
    serial += 1
    head = b""
    for f in fields:
        head = pad(head, 8) + f
    message = pad(struct.pack("<cBBBIII", b"l", kind, 0, 1, len(body), serial, len(head)) + head, 8) + body
    extra = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))] if fd is not None else []
    bus.sendmsg([message], extra)
    return serial


def call(member, signature="", body=b""):
    name = "org.freedesktop.DBus"
    fields = [field(1, "o", "/org/freedesktop/DBus"), field(6, "s", name), field(2, "s", name), field(3, "s", member)]
    return send(1, fields + ([field(8, "g", signature)] if signature else []), body)


def signal(coming):
    fields = [field(1, "o", "/org/freedesktop/login1"), field(2, "s", "org.freedesktop.login1.Manager"),
              field(3, "s", "PrepareForShutdown"), field(8, "g", "b")]
    send(4, fields, struct.pack("<I", coming))


def note(name, line):
    with open(os.path.join(folder, name), "a") as f:
        f.write(line + "\n")


def watch_lock(reader):
    open(os.path.join(folder, "locked"), "w").close()
    os.read(reader, 1)  # ends when the last copy of the other end is closed
    os.close(reader)
    os.unlink(os.path.join(folder, "locked"))
    note("calls", "released")


def answer(number, sender, member, texts):
    global delay_s
    to = [field(5, "u", number), field(6, "s", sender)]
    note("calls", member + " " + " ".join(texts))
    if member == "Get":
        send(2, to + [field(8, "g", "v")], pad(b"\1t\0", 8) + struct.pack("<Q", delay_s * 1000000))
    elif member == "Inhibit":
        reader, writer = os.pipe()
        send(2, to + [field(8, "g", "h"), field(9, "u", 1)], struct.pack("<I", 0), writer)
        os.close(writer)
        threading.Thread(target=watch_lock, args=(reader,), daemon=True).start()
    elif member == "KillUnit":
        told = re.search(r"InhibitDelayMaxSec=(\d+)", open(conf).read() if os.path.exists(conf) else "")
        delay_s = int(told.group(1)) if told else delay_s
        send(2, to)


def take(data):
    """One message at the beginning: how many bytes it has, 0 when more must come."""
    if len(data) < 16:
        return 0
    order = "<" if data[:1] == b"l" else ">"
    body_len, number, head_len = struct.unpack(order + "III", data[4:16])
    begin = (16 + head_len + 7) // 8 * 8
    if len(data) < begin + body_len:
        return 0
    at, fields = 16, {}
    while at < 16 + head_len:
        at = (at + 7) // 8 * 8
        code, kind = data[at], chr(data[at + 2])
        at += 4
        if kind == "u":
            fields[code] = struct.unpack(order + "I", data[at:at + 4])[0]
            at += 4
        elif kind == "g":
            fields[code] = data[at + 1:at + 1 + data[at]].decode()
            at += data[at] + 2
        else:
            n = struct.unpack(order + "I", data[at:at + 4])[0]
            fields[code] = data[at + 4:at + 4 + n].decode()
            at += 4 + n + 1
    if data[1] == 1:
        body, texts, at = data[begin:begin + body_len], [], 0
        for kind in fields.get(8, ""):
            at = (at + 3) // 4 * 4
            n = struct.unpack(order + "I", body[at:at + 4])[0]
            texts.append(str(n) if kind != "s" else body[at + 4:at + 4 + n].decode())
            at += 4 if kind != "s" else 5 + n
        answer(number, fields[7], fields[3], texts)
    return begin + body_len


bus.sendall(b"\0AUTH EXTERNAL " + str(os.getuid()).encode().hex().encode() + b"\r\n")
bus.recv(4096)
bus.sendall(b"NEGOTIATE_UNIX_FD\r\n")
bus.recv(4096)
bus.sendall(b"BEGIN\r\n")
call("Hello")
for name in ("org.freedesktop.login1", "org.freedesktop.systemd1"):
    call("RequestName", "su", pad(text(name), 4) + struct.pack("<I", 4))
pending = b""
orders = b""
while True:
    for ready in select.select([bus, sys.stdin.fileno()], [], [])[0]:
        if ready is bus:
            more = bus.recv(65536)
            if not more:
                sys.exit("the bus is gone")
            pending += more
            while True:
                n = take(pending)
                if not n:
                    break
                pending = pending[n:]
        else:
            more = os.read(ready, 4096)
            if not more:
                sys.exit(0)
            orders += more
            while b"\n" in orders:
                line, orders = orders.split(b"\n", 1)
                signal(line == b"down")
