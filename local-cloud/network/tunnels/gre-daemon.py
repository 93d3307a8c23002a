"""L3 GRE (RFC 2784, key of RFC 2890) in user space: carries packets between TUN devices and raw sockets of protocol 47.

Reads lines of JSON: {"number": N, "tunnels": [{"device", "local", "remote", "key" (a number or null), ...}]}. A line
replaces all tunnels; the answer {"number": N} says that they are served. Outlives its reader: tunnels go on when the
local cloud is killed.
"""

import errno
import fcntl
import json
import os
import select
import socket
import struct
import sys

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
#: Python's socket module lacks these.
IP_MTU_DISCOVER, PMTUDISC_DONT, PMTUDISC_DO, IP_MTU = 10, 0, 2, 14
SO_SNDBUFFORCE, SO_RCVBUFFORCE = 32, 33
PROTOCOL_GRE, ETHERTYPE_IPV4 = 47, 0x0800
FLAG_CHECKSUM, FLAG_KEY, FLAG_SEQUENCE = 0x80, 0x20, 0x10
SIZE = 65535
BUFFER = 4 << 20
#: Packets of one device before another has its turn.
BATCH = 64


class Endpoint:
    """The raw sockets of one local address."""

    def __init__(self, address):
        self.whole = self.open(address, PMTUDISC_DO)
        self.divisible = self.open(address, PMTUDISC_DONT)
        # Every raw socket gets every packet: one of them is read, the other must not store them.
        self.divisible.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 0)

    @staticmethod
    def open(address, discovery):
        opened = socket.socket(socket.AF_INET, socket.SOCK_RAW, PROTOCOL_GRE)
        opened.setblocking(False)
        opened.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, BUFFER)
        opened.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
        opened.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, discovery)
        opened.bind((address, 0))
        return opened

    def close(self):
        self.whole.close()
        self.divisible.close()


class Tunnel:
    def __init__(self, settings, endpoint):
        self.endpoint = endpoint
        self.local = settings["local"]
        self.remote = settings["remote"]
        key = settings["key"]
        self.header = (
            struct.pack("!BBH", 0, 0, ETHERTYPE_IPV4)
            if key is None
            else struct.pack("!BBHI", FLAG_KEY, 0, ETHERTYPE_IPV4, key)
        )
        self.device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        try:
            name = settings["device"].encode()
            fcntl.ioctl(self.device, TUNSETIFF, struct.pack("16sH22x", name, IFF_TUN | IFF_NO_PI))
        except OSError:
            os.close(self.device)
            raise

    @staticmethod
    def selector(settings):
        key = settings["key"]
        addresses = socket.inet_aton(settings["remote"]) + socket.inet_aton(settings["local"])
        return addresses, None if key is None else struct.pack("!I", key)

    def send(self, packet):
        if packet[0] >> 4 != 4:
            return
        # As a kernel's GRE does, what may not be divided is not divided outside either.
        must_stay_whole = packet[6] & 0x40
        out = self.endpoint.whole if must_stay_whole else self.endpoint.divisible
        try:
            out.sendto(self.header + packet, (self.remote, 0))
        except OSError as error:
            # Anything else is the loss that every path has: a full queue, no route, a peer that refuses.
            if error.errno == errno.EMSGSIZE and must_stay_whole:
                self.refuse(packet)

    def refuse(self, packet):
        """Tells the sender of a packet that is too large what would pass: ICMP type 3, code 4."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((self.local, 0))
            probe.connect((self.remote, 9))
            room = probe.getsockopt(socket.IPPROTO_IP, IP_MTU) - 20 - len(self.header)
        quoted = packet[: (packet[0] & 15) * 4 + 8]
        body = struct.pack("!BBHHH", 3, 4, 0, 0, max(room, 68)) + quoted
        body = body[:2] + checksum(body) + body[4:]
        # From the address that the packet went to: the TUN has no route back through anything else.
        head = struct.pack("!BBHHHBBH", 0x45, 0xC0, 20 + len(body), 0, 0, 64, 1, 0) + packet[16:20] + packet[12:16]
        os.write(self.device, head[:10] + checksum(head) + head[12:] + body)

    def close(self):
        os.close(self.device)


def checksum(data):
    padded = data + b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", ~(total + (total >> 16)) & 0xFFFF)


class Daemon:
    def __init__(self):
        self.poll = select.epoll()
        self.endpoints = {}
        self.tunnels = {}
        self.by_selector = {}
        self.handlers = {}
        self.pending = b""
        self.watch(sys.stdin.fileno(), self.read_settings)

    def watch(self, descriptor, handler):
        os.set_blocking(descriptor, False)
        self.handlers[descriptor] = handler
        self.poll.register(descriptor, select.EPOLLIN)

    def forget(self, descriptor):
        del self.handlers[descriptor]
        self.poll.unregister(descriptor)

    def run(self):
        while True:
            for descriptor, _ in self.poll.poll():
                handler = self.handlers.get(descriptor)
                if handler:
                    handler()

    def read_settings(self):
        chunk = os.read(sys.stdin.fileno(), SIZE)
        if not chunk:
            self.forget(sys.stdin.fileno())
            return
        *lines, self.pending = (self.pending + chunk).split(b"\n")
        for line in lines:
            message = json.loads(line)
            self.replace(message["tunnels"])
            print(json.dumps({"number": message["number"]}), flush=True)

    def replace(self, wanted):
        by_text = {json.dumps(settings, sort_keys=True): settings for settings in wanted}
        for text in [text for text in self.tunnels if text not in by_text]:
            self.drop(text)
        locals_wanted = {settings["local"] for settings in wanted}
        for address in [address for address in self.endpoints if address not in locals_wanted]:
            endpoint = self.endpoints.pop(address)
            self.forget(endpoint.whole.fileno())
            endpoint.close()
        for address in locals_wanted - self.endpoints.keys():
            endpoint = self.endpoints[address] = Endpoint(address)
            self.watch(endpoint.whole.fileno(), lambda endpoint=endpoint: self.receive(endpoint.whole))
        for text in by_text.keys() - self.tunnels.keys():
            settings = by_text[text]
            tunnel = self.tunnels[text] = Tunnel(settings, self.endpoints[settings["local"]])
            self.watch(tunnel.device, lambda text=text, tunnel=tunnel: self.take(text, tunnel))
        # Of two tunnels to one peer with one key the first has what comes in.
        self.by_selector = {
            Tunnel.selector(settings): self.tunnels[text] for text, settings in reversed(by_text.items())
        }

    def drop(self, text):
        tunnel = self.tunnels.pop(text)
        self.forget(tunnel.device)
        tunnel.close()

    def take(self, text, tunnel):
        """From the TUN to the peer."""
        try:
            for _ in range(BATCH):
                tunnel.send(os.read(tunnel.device, SIZE))
        except BlockingIOError:
            pass
        except OSError as error:
            if error.errno != errno.EBADFD:
                raise
            # The device was deleted.
            self.drop(text)
            self.by_selector = {key: each for key, each in self.by_selector.items() if each is not tunnel}

    def receive(self, raw):
        """From peers to the TUN of the tunnel that addresses and key name."""
        try:
            for _ in range(BATCH):
                self.deliver(raw.recv(SIZE))
        except OSError:
            # Nothing left to read, or what an ICMP message said of the path.
            pass

    def deliver(self, packet):
        start = (packet[0] & 15) * 4
        if len(packet) < start + 4 or packet[start + 2] != 8 or packet[start + 3] or packet[start + 1]:
            return
        flags = packet[start]
        if flags & ~(FLAG_CHECKSUM | FLAG_KEY | FLAG_SEQUENCE):
            return
        end = start + 4
        if flags & FLAG_CHECKSUM:
            if checksum(packet[start:]) != b"\0\0":
                return
            end += 4
        key = None
        if flags & FLAG_KEY:
            key = packet[end : end + 4]
            end += 4
        if flags & FLAG_SEQUENCE:
            end += 4
        tunnel = self.by_selector.get((packet[12:20], key))
        if tunnel:
            try:
                os.write(tunnel.device, packet[end:])
            except OSError:
                # No IP packet, or the device is down: dropped like anything that cannot be delivered.
                pass


Daemon().run()
