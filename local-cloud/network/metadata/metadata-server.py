"""The metadata server of a zone's intranet: http://metadata.ks.qingcloud.com/INSTANCE-ID/ answers JSON.

Reads lines of JSON: {"number": N, "instances": {NETWORK: {INSTANCE-ID: METADATA}}}. A line replaces everything that is
served, each part to sources in its network alone; the answer {"number": N} says that it is so. Ends with its reader.
"""

import collections
import ipaddress
import json
import os
import socket
import sys
import threading
import time

WINDOW = 60
REQUESTS_FOR_INSTANCE = 5
REQUESTS_OF_SOURCE = 100
LONGEST_REQUEST = 8192
PATIENCE = 5
CONNECTIONS = 64

REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 429: "Too Many Requests"}


class Limit:
    """So many in a minute for each key."""

    def __init__(self, most):
        self.most = most
        self.times = collections.defaultdict(collections.deque)

    def admits(self, key, now):
        times = self.times[key]
        while times and times[0] <= now - WINDOW:
            times.popleft()
        if len(times) >= self.most:
            return False
        times.append(now)
        return True

    def forget(self, now):
        for key in [key for key, times in self.times.items() if not times or times[-1] <= now - WINDOW]:
            del self.times[key]


class Metadata:
    def __init__(self):
        self.lock = threading.Lock()
        self.parts = []
        self.of_source = Limit(REQUESTS_OF_SOURCE)
        self.for_instance = Limit(REQUESTS_FOR_INSTANCE)

    def replace(self, instances):
        with self.lock:
            self.parts = [(ipaddress.ip_network(network), known) for network, known in instances.items()]

    def answer(self, method, path, source):
        """The status and what is answered with it."""
        with self.lock:
            now = time.monotonic()
            self.of_source.forget(now)
            self.for_instance.forget(now)
            if not self.of_source.admits(source, now):
                return 429, {"message": f"more than {REQUESTS_OF_SOURCE} requests in a minute from {source}"}
            if method not in ("GET", "HEAD"):
                return 405, {"message": f"{method} is not allowed, allowed: GET, HEAD"}
            address = ipaddress.ip_address(source)
            name = path.strip("/")
            part = next((part for part in self.parts if address in part[0] and name in part[1]), None)
            if part is None:
                return 404, {"message": f"there is nothing at {path}: give /INSTANCE-ID/ of a running instance of this zone"}
            network, known = part
            if not self.for_instance.admits((network, name), now):
                return 429, {"message": f"more than {REQUESTS_FOR_INSTANCE} requests in a minute for {name}"}
            return 200, known[name]


def read_head(connection):
    """The first line of a request, once its head has come whole."""
    head = b""
    deadline = time.monotonic() + PATIENCE
    while b"\r\n\r\n" not in head and b"\n\n" not in head:
        connection.settimeout(max(0.01, deadline - time.monotonic()))
        part = connection.recv(4096)
        head += part
        if not part or len(head) > LONGEST_REQUEST:
            return None
    return head.split(b"\n", 1)[0].decode("latin-1").split()


def serve(metadata, connection, source, places):
    try:
        with connection:
            line = read_head(connection)
            if line is None or len(line) != 3:
                status, body, method = 400, {"message": "this is no HTTP request"}, "GET"
            else:
                method, target, _ = line
                status, body = metadata.answer(method, target.split("?", 1)[0], source)
            content = json.dumps(body, indent=2).encode() + b"\n"
            head = (
                f"HTTP/1.1 {status} {REASONS[status]}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(content)}\r\nConnection: close\r\n\r\n"
            )
            connection.settimeout(PATIENCE)
            connection.sendall(head.encode() + (b"" if method == "HEAD" else content))
    except OSError:
        pass  # the other side has gone
    finally:
        places.release()


def accept(metadata, listener):
    places = threading.Semaphore(CONNECTIONS)
    while True:
        connection, (source, _) = listener.accept()
        places.acquire()
        threading.Thread(target=serve, args=(metadata, connection, source, places), daemon=True).start()


def main():
    metadata = Metadata()
    listener = socket.create_server(("0.0.0.0", 80), backlog=128)
    threading.Thread(target=accept, args=(metadata, listener), daemon=True).start()
    for line in sys.stdin:
        message = json.loads(line)
        metadata.replace(message["instances"])
        print(json.dumps({"number": message["number"]}), flush=True)
    os._exit(0)


main()
