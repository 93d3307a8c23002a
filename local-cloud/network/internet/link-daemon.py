"""Long, lossy links in user space: packets that are routed into a TUN device come back out of it later, or never.

Reads lines of JSON, {"number": N, "links": [{"device", "delay" (seconds), "loss" (0 to 1), "seed" (or null)}]} or
{"number": N, "count": true}. A line with links replaces all; one that stays as it is goes on. Every line is answered:
{"number": N, "counts": {device: {"passed", "lost"}}}. Outlives its reader.
"""

import collections
import fcntl
import json
import os
import random
import select
import struct
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
SIZE = 65535
#: Packets of one link before another has its turn.
BATCH = 64
#: Bytes that are on their way at most: 2 Gbit/s for a quarter of a second.
CAPACITY = 64 << 20


def draws_of(seed):
    """Of the packets from the smaller address to the larger (True) and back: how they meet changes no draw."""
    return {up: random.Random(None if seed is None else f"{seed} {up}") for up in (True, False)}


class Link:
    def __init__(self, settings):
        self.text = json.dumps(settings)
        self.delay = settings["delay"]
        self.loss = settings["loss"]
        self.draws = draws_of(settings["seed"])
        self.passed = self.lost = 0
        self.under_way = collections.deque()
        self.bytes_under_way = 0
        self.file = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        name = settings["device"].encode()
        fcntl.ioctl(self.file, TUNSETIFF, struct.pack("16sH22x", name, IFF_TUN | IFF_NO_PI))

    def change(self, settings):
        text = json.dumps(settings)
        if text == self.text:
            return
        self.text = text
        self.delay = settings["delay"]
        self.loss = settings["loss"]
        self.draws = draws_of(settings["seed"])

    def take(self):
        now = time.monotonic()
        try:
            for _ in range(BATCH):
                packet = os.read(self.file, SIZE)
                if packet[0] >> 4 != 4:
                    continue
                # Drawn for every packet, so that a seed decides about the n-th of each direction.
                draw = self.draws[packet[12:16] < packet[16:20]]
                if self.loss and draw.random() < self.loss or self.bytes_under_way > CAPACITY:
                    self.lost += 1
                    continue
                self.passed += 1
                if self.delay or self.under_way:
                    self.under_way.append((now + self.delay, packet))
                    self.bytes_under_way += len(packet)
                else:
                    self.give(packet)
        except OSError:
            # Nothing left to read, or the device was deleted: the next line of settings says so.
            pass

    def give_due(self):
        """Lets what has arrived out. Answers when the next packet does."""
        under_way = self.under_way
        while under_way:
            now = time.monotonic()
            if under_way[0][0] > now:
                return under_way[0][0]
            _, packet = under_way.popleft()
            self.bytes_under_way -= len(packet)
            self.give(packet)
        return None

    def give(self, packet):
        try:
            os.write(self.file, packet)
        except OSError:
            # No IP packet, or the device is gone.
            pass


def main():
    links = {}
    pending = b""
    control = sys.stdin.fileno()
    os.set_blocking(control, False)
    watched = [control]
    while True:
        due = [time_ for time_ in [link.give_due() for link in links.values()] if time_ is not None]
        timeout = max(0, min(due) - time.monotonic()) if due else None
        # Not epoll: it counts whole milliseconds.
        ready, _, _ = select.select(watched + [link.file for link in links.values()], [], [], timeout)
        for link in list(links.values()):
            if link.file in ready:
                link.take()
        if control not in ready:
            continue
        chunk = os.read(control, SIZE)
        if not chunk:
            watched = []
            continue
        *lines, pending = (pending + chunk).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if "links" in message:
                replace(links, message["links"])
            counts = {device: {"passed": link.passed, "lost": link.lost} for device, link in links.items()}
            print(json.dumps({"number": message["number"], "counts": counts}), flush=True)


def replace(links, wanted):
    by_device = {settings["device"]: settings for settings in wanted}
    for device in links.keys() - by_device.keys():
        os.close(links.pop(device).file)
    for device, settings in by_device.items():
        if device in links:
            links[device].change(settings)
        else:
            links[device] = Link(settings)


main()
