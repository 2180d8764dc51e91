#!/usr/bin/python3
"""Stands in for systemctl where systemd can't run: in a root of namespaces. It reads units as install.sh writes them, keeps what it
was told in /run/systemctl/calls, runs a service with a notification socket as Type=notify has it, waits for READY=1, and keeps
what the service says in /run/systemctl/NAME.messages. It restarts nothing and has no other of systemd's duties."""
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time

HOME = "/run/systemctl"
WANTS = "/etc/systemd/system/multi-user.target.wants"
os.makedirs(HOME, exist_ok=True)
with open(HOME + "/calls", "a") as calls:
    calls.write(" ".join(sys.argv[1:]) + "\n")


def words_of(text):
    """A command line of a unit: single quotes with C's escapes, %% and $$."""
    words = []
    for quoted, plain in re.findall(r"'((?:[^'\\]|\\.)*)'|(\S+)", text):
        word = re.sub(r"\\x([0-9a-f]{2})|\\(.)", lambda m: chr(int(m[1], 16)) if m[1] else m[2], quoted) if quoted else plain
        words.append(word.replace("%%", "%").replace("$$", "$"))
    return words


def read_unit(name):
    found = {}
    with open(f"/etc/systemd/system/{name}.service") as f:
        for line in f.read().replace("\\\n", " ").splitlines():
            if "=" in line and not line.startswith("#"):
                key, value = line.split("=", 1)
                found.setdefault(key, []).append(value)
    return found


def environment(unit, name):
    env = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
    for path in unit.get("EnvironmentFile", []):
        path = path.lstrip("-").replace("%N", name)
        if os.path.exists(path):
            with open(path) as f:
                for pair in shlex.split(f.read(), comments=True):
                    key, value = pair.split("=", 1)
                    env[key] = value
    return env


def pid_of(name):
    try:
        with open(f"{HOME}/{name}.pid") as f:
            pid = int(f.read())
        with open(f"/proc/{pid}/stat") as f:
            return 0 if f.read().rsplit(")", 1)[1].split()[0] == "Z" else pid
    except (OSError, ValueError):
        return 0


def serve(unit, name, started):
    """Runs the service, hears what it says, and tells `started` when it is ready or has ended."""
    path = f"{HOME}/{name}.socket"
    if os.path.exists(path):
        os.unlink(path)
    ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    ear.bind(path)
    ear.settimeout(0.2)
    env = environment(unit, name)
    seconds = int(unit.get("WatchdogSec", ["0"])[0])
    env.update({"NOTIFY_SOCKET": path, "WATCHDOG_USEC": str(seconds * 1000000)})
    with open(f"{HOME}/{name}.log", "ab") as log:
        p = subprocess.Popen(words_of(unit["ExecStart"][0]), env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    with open(f"{HOME}/{name}.pid", "w") as f:
        f.write(str(p.pid))
    said = ""
    while p.poll() is None:
        try:
            text = ear.recv(4096).decode()
        except socket.timeout:
            continue
        with open(f"{HOME}/{name}.messages", "a") as f:
            f.write(text + "\n")
        if "READY=1" in text and not said:
            said = "ready"
            os.write(started, said.encode())
    if not said:
        os.write(started, b"ended")


def start(name):
    if pid_of(name):
        return 0
    unit = read_unit(name)
    r, w = os.pipe()
    if os.fork() == 0:
        os.close(r)
        os.setsid()
        null = os.open("/dev/null", os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        serve(unit, name, w)
        os._exit(0)
    os.close(w)
    return 0 if os.read(r, 16) == b"ready" else 1


def stop(name):
    pid = pid_of(name)
    if pid:
        os.kill(pid, signal.SIGTERM)
        for _ in range(600):
            if not pid_of(name):
                return 0
            time.sleep(0.05)
        os.kill(pid, signal.SIGKILL)
    return 0


verb = sys.argv[1] if len(sys.argv) > 1 else ""
name = [a for a in sys.argv[2:] if not a.startswith("-")]
name = os.path.basename(name[0]).removesuffix(".service") if name else ""
link = f"{WANTS}/{name}.service"
if verb == "enable":
    os.makedirs(WANTS, exist_ok=True)
    if not os.path.islink(link):
        os.symlink(f"/etc/systemd/system/{name}.service", link)
elif verb == "disable":
    if os.path.islink(link):
        os.unlink(link)
    if os.path.isdir(WANTS) and not os.listdir(WANTS):
        os.rmdir(WANTS)
elif verb == "is-active":
    sys.exit(0 if pid_of(name) else 3)
elif verb == "start":
    sys.exit(start(name))
elif verb == "restart":
    stop(name)
    sys.exit(start(name))
elif verb == "stop":
    sys.exit(stop(name))
elif verb not in ("daemon-reload", "reset-failed"):
    sys.exit(f"systemctl: {verb} is nothing that this stand-in knows")
