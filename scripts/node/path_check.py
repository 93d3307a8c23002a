"""Checks the path between two nodes: reachable, whole packets pass, and how fast it is.

Runs on the nodes from stdin, so that nothing is installed: this source, then a call of `main` with the arguments,
piped into `python3 -`. One node serves, the other probes; any may be asked whom it
reaches. Only the standard library and `ping` are needed.
"""
import json
import os
import re
import select
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

IP_AND_ICMP_HEADERS = 28
SMALLEST_MTU = 84  # a plain `ping`: 56 bytes of data
TCP_NOTSENT_LOWAT = 25
STALL_SECONDS = 5


def serve(bindAddress, maxSeconds):
    """Takes one connection and says on it, and on stdout, how much came how fast."""
    deadline = time.monotonic() + maxSeconds
    with socket.create_server((bindAddress, 0)) as listener:
        answer({"port": listener.getsockname()[1]})
        wait_readable(listener, deadline, "no probe connected")
        connection, _ = listener.accept()
    with connection:
        received, first, last = 0, 0.0, 0.0
        while True:
            wait_readable(connection, deadline, "the probe sent no end")
            block = connection.recv(1 << 18)
            if not block:
                break
            last = time.monotonic()
            first = first or last
            received += len(block)
        measured = {"bytes": received, "seconds": last - first}
        connection.sendall(json.dumps(measured).encode())
    answer(measured)


def wait_readable(source, deadline, otherwise):
    """Waits for data. Ends the process when nobody reads its output any more: then the SSH session is gone."""
    events = select.poll()
    events.register(source, select.POLLIN)
    events.register(sys.stdout.fileno(), 0)
    ready = events.poll(max(0, deadline - time.monotonic()) * 1000)
    if not ready:
        sys.exit(f"path check: {otherwise} before the deadline")
    if any(descriptor == sys.stdout.fileno() for descriptor, _ in ready):
        os._exit(1)


def probe(peer, mtu, pings=5, port=None, seconds=0):
    """Pings with the full size, looks for the size that passes if that fails, then measures bulk TCP to a server."""
    full = ping(peer, mtu, pings)
    found = {"reachable": True, "rttMs": full["rttMs"], "lossPercent": full["lossPercent"], "mtu": mtu,
             "fullSizePasses": full["received"] > 0, "goodputMbps": None}
    if not found["fullSizePasses"]:
        small = ping(peer, SMALLEST_MTU, pings)
        found.update(rttMs=small["rttMs"], lossPercent=small["lossPercent"])
        if not small["received"]:
            return {**found, "reachable": False, "mtu": None, "error": {
                "code": "unreachable",
                "message": f"{peer} answers no ping{full['said'] or small['said']}: the tunnel is down, "
                           "a route is missing, or a firewall drops ICMP"}}
        found["mtu"] = largest_passing(peer, mtu)
        return {**found, "error": {
            "code": "mtu",
            "message": f"{peer} answers small packets but none of {mtu} bytes: the largest that passes is "
                       f"{found['mtu']} bytes. Set the MTU of the nodes' route to {peer} to {found['mtu']} or less"}}
    if port is None or seconds <= 0:
        return found
    return {**found, **bulk(peer, port, seconds)}


def reach(peers, pings):
    """Pings all peers at the same time, each with the full size of its path."""
    with ThreadPoolExecutor(max_workers=len(peers)) as pool:
        found = pool.map(lambda peer: probe(peer["address"], peer["mtu"], pings), peers)
        return {"peers": [{"peer": peer["address"], **each} for peer, each in zip(peers, found)]}


def ping(peer, mtu, count):
    """Pings with packets of exactly `mtu` bytes that nobody may fragment."""
    command = ["ping", "-n", "-M", "do", "-c", str(count), "-i", "0.2", "-W", "1", "-s", str(mtu - IP_AND_ICMP_HEADERS),
               peer]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              universal_newlines=True, env={**os.environ, "LC_ALL": "C"}, timeout=count * 0.2 + 10)
    except FileNotFoundError:
        sys.exit("path check: this node has no `ping`: apt-get install iputils-ping")
    except subprocess.TimeoutExpired:
        return {"received": 0, "lossPercent": 100.0, "rttMs": None, "said": ""}
    received = re.search(r"(\d+) received", done.stdout)
    if received is None:
        return {"received": 0, "lossPercent": 100.0, "rttMs": None, "said": f" ({done.stderr.strip()})"}
    average = re.search(r"= [\d.]+/([\d.]+)/", done.stdout)
    replies = int(received.group(1))
    return {"received": replies, "lossPercent": round(100 * (1 - replies / count), 1),
            "rttMs": float(average.group(1)) if average else None, "said": ""}


def largest_passing(peer, too_large):
    """By bisection: the largest packet, below one that does not pass, that does."""
    passes = SMALLEST_MTU
    while too_large - passes > 1:
        middle = (passes + too_large) // 2
        if ping(peer, middle, 2)["received"]:
            passes = middle
        else:
            too_large = middle
    return passes


def bulk(peer, port, seconds):
    """Sends for some seconds; the goodput is what the receiver counted."""
    where = f"{peer} port {port}"
    try:
        with socket.create_connection((peer, port), timeout=STALL_SECONDS) as connection:
            # Without it, megabytes wait in the send buffer of a slow link and the test takes far longer than asked.
            connection.setsockopt(socket.IPPROTO_TCP, TCP_NOTSENT_LOWAT, 1 << 17)
            block = bytes(1 << 16)
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                connection.sendall(block)
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(seconds + STALL_SECONDS)
            measured = json.loads(connection.makefile().read())
    except ConnectionRefusedError:
        return {"error": {"code": "refused", "message": f"{where} refuses TCP connections, though {peer} answers pings: "
                                                        "the serving side ended or listens on another address"}}
    except (OSError, ValueError) as error:
        return {"error": {"code": "stalled", "message": f"TCP to {where} stalled or broke ({error}), though full-size "
                                                        "pings pass: a firewall, or a path that loses packets under load"}}
    return {"goodputMbps": round(measured["bytes"] * 8 / max(measured["seconds"], 1e-6) / 1e6, 3)}


def answer(document):
    print(json.dumps(document), flush=True)


def main(arguments):
    """`arguments`: {"role": "serve", "probe" or "reach", ...the parameters of that function}."""
    roles = {"serve": serve, "probe": lambda **rest: answer(probe(**rest)),
             "reach": lambda **rest: answer(reach(**rest))}
    rest = dict(arguments)
    role = rest.pop("role", None)
    if role not in roles:
        sys.exit(f"path check: role is {role!r}; allowed are {list(roles)}")
    try:
        roles[role](**rest)
    except TypeError as error:
        sys.exit(f"path check: wrong arguments for {role}: {error}")
    except OSError as error:
        sys.exit(f"path check: {role} failed with {rest}: {error}")
