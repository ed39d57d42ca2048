"""Starts moto's AWS emulator on loopback, with the faults mended that would falsify a proof.

usage: launch.py [--port PORT] [--watch-stdin]

Prints one line of JSON, `{"port": N}`, once the socket listens. With --watch-stdin the emulator ends when its standard
input closes, that is, when the process that started it is gone, however it went.
"""
import argparse
import functools
import gc
import io
import json
import logging
import os
import re
import signal
import socket
import sys
import threading
import urllib.parse

# The policies that AWS manages (`arn:aws:iam::aws:policy/…`) exist in every account; moto has them only if told so, before
# its import.
os.environ.setdefault("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")

from moto.core import responses as moto_responses
from moto.eks import models as eks_models
from moto.iam.models import AWSManagedPolicy
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.moto_api._internal.models import moto_api_backend
from werkzeug.serving import WSGIRequestHandler, make_server

# Services that nearly every test calls: loaded before the first request, so that no request waits for an import.
PRELOADED = ("ec2", "iam", "sts", "eks", "elbv2", "kms", "logs")


class Accounts:
    """LocalStack's convention: an access key id of twelve digits names the account, so that each test has its own."""

    def __init__(self, app):
        self.app = app

    def __call__(self, environ, start_response):
        account = re.search(r"Credential=(\d{12})/", environ.get("HTTP_AUTHORIZATION", ""))
        if account:
            environ["HTTP_X_MOTO_ACCOUNT_ID"] = account[1]
        return self.app(environ, start_response)


def no_remote_access_unless_asked():
    """moto answers every node group with a `remoteAccess` that nobody asked for (`eksKeypair`), EKS only with the one
    that the request had. The attribute is create-only: each plan after an apply would replace the group."""
    original = eks_models.Nodegroup.__init__

    def init(self, *args, **kwargs):
        original(self, *args, **kwargs)
        if not kwargs.get("remote_access"):
            self.remote_access = None
            # EKS makes that security group together with the remote access, never without
            self.resources = {"autoScalingGroups": self.resources["autoScalingGroups"]}

    eks_models.Nodegroup.__init__ = init


def managed_policies_untracked():
    """moto lists every object ever made at /moto-api/data.json, which is asked to see whether the emulator is up. With
    the managed policies, 1,400 for each account, the answer would take seconds."""
    AWSManagedPolicy.__new__ = lambda cls, *args, **kwargs: object.__new__(cls)


def looked_up_once():
    """moto finds out for every request which services it has, by listing its own folder, and which methods the service's
    class has. Neither changes while it runs, and both together take a third of a small request's time."""
    application = DomainDispatcherApplication
    application.get_backend_for_host = functools.lru_cache(maxsize=1000)(application.get_backend_for_host)
    moto_responses.method_names_from_class = functools.cache(moto_responses.method_names_from_class)


class OneAtATime:
    """moto's models are plain dictionaries: a list that meets a create on another thread dies of "dictionary changed size
    during iteration", half-way through a call. Python runs one thread at a time anyway, so that this costs nothing."""

    def __init__(self, app):
        self.app, self.lock = app, threading.Lock()

    def __call__(self, environ, start_response):
        with self.lock:
            return [b"".join(self.app(environ, start_response))]


class Idempotency:
    """Client tokens, which moto ignores (EC2) or answers with a conflict (EKS): the same request with the same token gets
    the first one's answer, another request with that token is refused. Without it, a create that is repeated after a
    crash would double its object here, and only here."""

    def __init__(self, app):
        self.app, self.answers, self.guard, self.locks = app, {}, threading.Lock(), {}

    def __call__(self, environ, start_response):
        path = environ.get("PATH_INFO", "")
        if path == "/moto-api/reset":
            self.answers.clear()
        length = int(environ.get("CONTENT_LENGTH") or 0)
        if environ["REQUEST_METHOD"] != "POST" or not 0 < length < 1_000_000:
            return self.app(environ, start_response)
        body = environ["wsgi.input"].read(length)
        environ["wsgi.input"] = io.BytesIO(body)
        key = self.key(environ, path, body)
        if key is None:
            return self.app(environ, start_response)
        with self.guard:
            lock = self.locks.setdefault(key, threading.Lock())
        with lock:  # a repetition that overtakes the first attempt waits for its answer
            if key not in self.answers:
                seen = []
                chunks = b"".join(self.app(environ, lambda *head: seen.append(head) or (lambda data: None)))
                if seen[0][0].startswith("2"):
                    self.answers[key] = (body, seen[0], chunks)
                start_response(*seen[0][:2])
                return [chunks]
            first, head, chunks = self.answers[key]
        if first != body:
            return self.mismatch(start_response)
        start_response(*head[:2])
        return [chunks]

    @staticmethod
    def key(environ, path, body):
        scope = re.search(r"Credential=([^,]*)", environ.get("HTTP_AUTHORIZATION", ""))
        if not scope:
            return None
        account, _, rest = scope[1].partition("/")
        region, service = (rest.split("/") + ["", "", ""])[1:3]
        if service == "ec2" and b"ClientToken=" in body:
            form = urllib.parse.parse_qs(body.decode())
            token, action = form.get("ClientToken", [""])[0], form.get("Action", [""])[0]
        elif service == "eks" and b"clientRequestToken" in body:
            token, action = json.loads(body).get("clientRequestToken"), path
        else:
            return None
        return (account, region, service, action, token) if token else None

    @staticmethod
    def mismatch(start_response):
        text = ("<Response><Errors><Error><Code>IdempotentParameterMismatch</Code><Message>The same client token with "
                "other parameters</Message></Error></Errors><RequestID>0</RequestID></Response>").encode()
        start_response("400 Bad Request", [("Content-Type", "text/xml"), ("Content-Length", str(len(text)))])
        return [text]


class Handler(WSGIRequestHandler):
    """Keeps connections open, as AWS does: a client that opens one for each call measures the emulator, not itself."""

    protocol_version = "HTTP/1.1"
    wbufsize = 65536

    def setup(self):
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().setup()

    def log_request(self, *args, **kwargs):
        pass


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--port", type=int, default=0)
    arguments.add_argument("--watch-stdin", action="store_true")
    arguments = arguments.parse_args()

    no_remote_access_unless_asked()
    managed_policies_untracked()
    looked_up_once()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    app = DomainDispatcherApplication(create_backend_app)
    for service in PRELOADED:
        app.app_instances[service] = create_backend_app(service)
    moto_api_backend.reset()  # loading made a default account with 1,300 images
    gc.collect()
    gc.freeze()  # what is loaded by now stays: no collection has to look through it again in the middle of a request

    server = make_server("127.0.0.1", arguments.port, Idempotency(Accounts(OneAtATime(app))), threaded=True, request_handler=Handler)
    server.daemon_threads = True
    if arguments.watch_stdin:
        threading.Thread(target=lambda: (sys.stdin.buffer.read(), os._exit(0)), daemon=True).start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))
    print(json.dumps({"port": server.server_port}), flush=True)
    server.serve_forever()


main()
