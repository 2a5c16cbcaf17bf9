"""The benchmark's side of a worker: a process that is asked, waited for and, over the limit, ended."""

import json
import os
import selectors
import subprocess
import time
from pathlib import Path

WORKER = Path(__file__).with_name("linear_worker.py")


class OverLimit(Exception):
    """A call took longer than the limit and its process was ended."""


class Process:
    """The other end of a worker: started when first asked, started anew after a call over the limit."""

    def __init__(self, name, python, threads):
        self.command = [python, str(WORKER), name, str(threads)]
        self.child, self.folder, self.rest = None, None, b""

    def ask(self, limit, **request):
        """Send a request and wait for its answer at most `limit` seconds."""
        if self.child is None:
            self.child = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            self.rest = b""
            if request["do"] != "load" and self.folder:
                self.ask(600, do="load", folder=self.folder)
        if request["do"] == "load":
            self.folder = request["folder"]
        self.child.stdin.write(json.dumps(request).encode() + b"\n")
        self.child.stdin.flush()
        end = time.monotonic() + limit
        with selectors.DefaultSelector() as selector:
            selector.register(self.child.stdout, selectors.EVENT_READ)
            while b"\n" not in self.rest:
                if not selector.select(max(0.0, end - time.monotonic())):
                    self.stop()
                    raise OverLimit
                piece = os.read(self.child.stdout.fileno(), 65536)
                if not piece:
                    self.stop()
                    return {"error": "its process ended"}
                self.rest += piece
        line, self.rest = self.rest.split(b"\n", 1)
        return json.loads(line)

    def stop(self):
        """End the worker."""
        if self.child is not None:
            self.child.kill()
            self.child.wait()
            self.child = None
