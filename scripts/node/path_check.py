"""Checks the path between two nodes: reachable, how large whole packets may be, how many are lost, and how fast it is.

Runs on the nodes from stdin, so that nothing is installed: this source, then a call of `main` with the arguments,
piped into `python3 -`. One node serves, the other probes; any may be asked whom it
reaches. Only the standard library, `ping` and `ip` are needed.
"""
import contextlib
import errno
import glob
import json
import os
import re
import select
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

IP_AND_UDP_HEADERS = IP_AND_ICMP_HEADERS = 28
IP_AND_TCP_HEADERS = 40
SMALLEST_SEGMENT = 88  # that the kernel takes
SMALLEST_MTU = 84  # a plain `ping`: 56 bytes of data
LARGEST_MTU = 1500  # of the nodes' interfaces
TCP_NOTSENT_LOWAT = 25
IP_MTU_DISCOVER, IP_PMTUDISC_PROBE = 10, 3  # see ip(7): must not be divided, whatever the kernel believes of the path
STALL_SECONDS = 5
ECHO_SECONDS = 0.01  # between two packets that are counted
ECHO_BYTES = 100


def serve(bindAddress, maxSeconds, peer=None):
    """Takes one connection and says on it, and on stdout, how much came how fast; answers packets until then.

    First says where, whether this node trains, and by which way it would answer the peer.
    """
    deadline = time.monotonic() + maxSeconds
    with socket.create_server((bindAddress, 0)) as listener, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as echo:
        echo.bind((bindAddress, 0))
        threading.Thread(target=answer_packets, args=(echo,), daemon=True).start()
        answer({"port": listener.getsockname()[1], "echoPort": echo.getsockname()[1], "isTraining": is_training(),
                "route": route_to(peer) if peer else None})
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
                if not first:  # what came before it took time that was not measured
                    first = last
                    continue
                received += len(block)
            measured = {"bytes": received, "seconds": last - first}
            connection.sendall(json.dumps(measured).encode())
    answer(measured)


def answer_packets(echo):
    """Answers each packet by its first 8 bytes, its number."""
    with contextlib.suppress(OSError):
        while True:
            packet, sender = echo.recvfrom(1 << 16)
            echo.sendto(packet[:8], sender)


def wait_readable(source, deadline, otherwise):
    """Waits for data. Ends the process when nobody reads its output: then the SSH session is gone."""
    events = select.poll()
    events.register(source, select.POLLIN)
    events.register(sys.stdout.fileno(), 0)
    ready = events.poll(max(0, deadline - time.monotonic()) * 1000)
    if not ready:
        sys.exit(f"path check: {otherwise} before the deadline")
    if any(descriptor == sys.stdout.fileno() for descriptor, _ in ready):
        os._exit(1)


def probe(peer, mtu, pings=5, port=None, echoPort=None, seconds=0, isThorough=False):
    """Pings with the full size, counts what is lost, looks for the size that passes if the full one does not (or a
    larger one, if thorough), then measures bulk TCP to a server.

    `mtu` is the largest packet that passes. Of one that is smaller than asked for, `isTold` says whether the path tells
    senders so, as it should.
    """
    with ThreadPoolExecutor(max_workers=1) as beside:
        counting = None if echoPort is None else beside.submit(count_lost, peer, echoPort, 10 * pings)
        full = ping(peer, mtu, pings)
        lost = full["lossPercent"] if counting is None else counting.result()
    found = {"reachable": True, "rttMs": full["rttMs"], "lossPercent": lost, "mtu": mtu, "isTold": False,
             "isTraining": is_training(), "route": None, "goodputMbps": None}
    if not full["received"]:
        small = ping(peer, SMALLEST_MTU, pings)
        found.update(rttMs=small["rttMs"])
        if not small["received"]:
            return {**found, "reachable": False, "mtu": None, "lossPercent": 100.0, "route": route_to(peer), "error": {
                "code": "unreachable", "message": f"{peer} answers no ping{full['said'] or small['said']}"}}
        passing = None
        if echoPort is not None:
            passing = largest_passing(peer, echoPort, SMALLEST_MTU, mtu + 1, small["rttMs"])
        found.update(mtu=passing, isTold=full["isTold"])
        largest = "" if passing is None else f": the largest that passes is {passing} bytes"
        if passing is None or (passing < mtu and not full["isTold"]):
            return {**found, "error": {
                "code": "mtu", "message": f"{peer} answers small packets but none of {mtu} bytes{largest}"}}
    elif isThorough and echoPort is not None:
        found["mtu"] = largest_passing(peer, echoPort, mtu, max(mtu, LARGEST_MTU) + 1, full["rttMs"])
    if port is None or seconds <= 0:
        return found
    return {**found, **bulk(peer, port, seconds, found["mtu"])}


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
        return {"received": 0, "lossPercent": 100.0, "rttMs": None, "isTold": False, "said": ""}
    # By a router ("Frag needed"), or by this node's kernel, which remembers one.
    is_told = re.search(r"\bmtu ?= ?\d+", done.stdout + done.stderr) is not None
    received = re.search(r"(\d+) received", done.stdout)
    if received is None:
        return {"received": 0, "lossPercent": 100.0, "rttMs": None, "isTold": is_told, "said": f" ({done.stderr.strip()})"}
    # The least: a packet that a busy node holds up says nothing of the path.
    trips = [float(milliseconds) for milliseconds in re.findall(r"\btime[=<]([\d.]+) ms", done.stdout)]
    replies = int(received.group(1))
    return {"received": replies, "lossPercent": round(100 * (1 - replies / count), 1),
            "rttMs": min(trips) if trips else None, "isTold": is_told, "said": ""}


def count_lost(peer, port, count):
    """Per cent of small packets, one every 10 ms, that are not answered."""
    answered = set()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as packets:
        packets.connect((peer, port))
        began = time.monotonic()
        for number in range(count):
            with contextlib.suppress(OSError):
                packets.send(number.to_bytes(8, "big") + bytes(ECHO_BYTES))
            collect(packets, answered, began + (number + 1) * ECHO_SECONDS, count)
        collect(packets, answered, time.monotonic() + 1, count)
    return round(100 * (1 - len(answered) / count), 1)


def collect(packets, answered, until, enough):
    """Takes answers for a while."""
    while len(answered) < enough:
        packets.settimeout(max(until - time.monotonic(), 1e-6))
        try:
            answered.add(int.from_bytes(packets.recv(8), "big"))
        except socket.timeout:
            return
        except OSError:  # a router's word about an earlier packet
            continue


def largest_passing(peer, port, passes, too_large, rtt_ms):
    """By bisection between a size that passes and one that does not."""
    patience = max(0.1, 2 * (rtt_ms or 0) / 1000)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as packets:
        packets.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE)
        packets.connect((peer, port))
        while too_large - passes > 1:
            middle = (passes + too_large) // 2
            if does_pass(packets, middle, patience):
                passes = middle
            else:
                too_large = middle
    return passes


def does_pass(packets, size, patience):
    """Whether a packet of the size is answered, by the third one at the latest."""
    for seconds in (patience, patience, 2 * patience):
        answered = set()
        try:
            packets.send(size.to_bytes(8, "big") + bytes(size - IP_AND_UDP_HEADERS - 8))
        except OSError as error:
            if error.errno == errno.EMSGSIZE and size > LARGEST_MTU:
                return False
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            collect(packets, answered, deadline, len(answered) + 1)
            if size in answered:
                return True
    return False


def bulk(peer, port, seconds, mtu):
    """Sends for some seconds; the goodput is what the receiver counted."""
    where = f"{peer} port {port}"
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as connection:
            # As training will send: the nodes' routes need not say it yet.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, max(mtu - IP_AND_TCP_HEADERS, SMALLEST_SEGMENT))
            # Without it, megabytes wait in the send buffer of a slow link and the test takes far longer than asked.
            connection.setsockopt(socket.IPPROTO_TCP, TCP_NOTSENT_LOWAT, 1 << 17)
            connection.settimeout(STALL_SECONDS)
            connection.connect((peer, port))
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


def route_to(peer):
    """By which way this node sends to a peer: the router's address (None where it needs none), or why it does not."""
    asked = subprocess.run(["ip", "route", "get", peer], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, universal_newlines=True)
    via = re.search(r"\bvia (\S+)", asked.stdout)
    return {"via": via.group(1) if via else None, "error": asked.stderr.strip() or None}


def is_training():
    """Whether a rank runs on this node (scripts/node/agent): its traffic and the check's would disturb each other."""
    for path in glob.glob(os.path.expanduser("~/.crosszone/runs/*/rank-*/state.json")):
        with contextlib.suppress(OSError, ValueError, KeyError), open(path) as file:
            state = json.load(file)
            supervisor = state["supervisor"]
            with open(f"/proc/{supervisor['pid']}/stat") as process:
                started = int(process.read().rpartition(")")[2].split()[19])
            if state["state"] == "running" and started == supervisor["startTime"]:
                return True
    return False


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
