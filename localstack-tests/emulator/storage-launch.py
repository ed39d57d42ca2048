"""Starts fake-gcs-server on a free port of the loopback interface, says which, and ends it with its own standard input."""

import argparse
import ctypes
import glob
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

PR_SET_PDEATHSIG = 1


def binary():
    found = glob.glob(os.path.join(sys.prefix, "lib", "python*", "site-packages", "**", "fake-gcs-server-linux-*"), recursive=True)
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
    fitting = [path for path in found if path.endswith(machine)]
    if not fitting:
        sys.exit(f"the package has no binary for {machine}: {found}")
    os.chmod(fitting[0], 0o755)
    return fitting[0]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def start(program, port):
    """The server, once it answers; None if it ended instead: somebody else took the port in between."""
    address = f"127.0.0.1:{port}"
    server = subprocess.Popen(
        [program, "-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-backend", "memory", "-public-host", address,
         "-external-url", f"http://{address}", "-log-level", "error"],
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        preexec_fn=lambda: ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL),
    )
    while server.poll() is None:
        if answers(port):
            return server
        time.sleep(0.02)
    return None


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--port", type=int, default=0)
    arguments.add_argument("--watch-stdin", action="store_true")
    arguments = arguments.parse_args()
    program = binary()
    for _ in range(1 if arguments.port else 10):
        port = arguments.port or free_port()
        server = start(program, port)
        if server:
            break
    else:
        sys.exit("the server ended at once")

    def end(*_):
        server.kill()
        os._exit(0)

    if arguments.watch_stdin:
        threading.Thread(target=lambda: (sys.stdin.buffer.read(), end()), daemon=True).start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    print(json.dumps({"port": port}), flush=True)
    server.wait()


main()
