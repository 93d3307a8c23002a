"""Two nodes: network namespaces with a link between, which a test makes and removes."""
from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path


def run(*words: object) -> str:
    done = subprocess.run([*map(str, words)], capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(map(str, words))}: {done.stderr}"
    return done.stdout


class Nodes:
    """192.168.1.2 and 192.168.2.2, on their interfaces eth7. Needs root."""

    addresses = ("192.168.1.2", "192.168.2.2")
    interface = "eth7"

    def __init__(self) -> None:
        self.names = tuple(f"training-{os.getpid()}-{number}" for number in (0, 1))

    def __enter__(self) -> Nodes:
        one, other = self.names
        try:
            for name in self.names:
                run("ip", "netns", "add", name)
            run("ip", "-n", one, "link", "add", self.interface, "type", "veth", "peer", "name", self.interface, "netns", other)
            for name, address in zip(self.names, self.addresses):
                run("ip", "-n", name, "address", "add", f"{address}/16", "dev", self.interface)
                self.set_link(self.names.index(name), "up")
                run("ip", "-n", name, "link", "set", "lo", "up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for number, name in enumerate(self.names):
            if Path("/run/netns", name).exists():
                for pid in self.processes(number):
                    os.kill(pid, signal.SIGKILL)
                run("ip", "netns", "delete", name)

    def inside(self, number: int) -> tuple[str, ...]:
        """What comes before a command that is to run on a node."""
        return ("ip", "netns", "exec", self.names[number])

    def set_link(self, number: int, state: str) -> None:
        run("ip", "-n", self.names[number], "link", "set", self.interface, state)

    def limit_rate(self, megabits: int) -> None:
        """Of what the first node sends."""
        run("tc", "-n", self.names[0], "qdisc", "replace", "dev", self.interface, "root", "tbf", "rate", f"{megabits}mbit",
            "burst", "16kb", "latency", "500ms")

    def remove_limit(self) -> None:
        run("tc", "-n", self.names[0], "qdisc", "delete", "dev", self.interface, "root")

    def sent_bytes(self, number: int) -> int:
        path = f"/sys/class/net/{self.interface}/statistics/tx_bytes"
        return int(run(*self.inside(number), "cat", path))

    def processes(self, number: int) -> list[int]:
        return [int(pid) for pid in run("ip", "netns", "pids", self.names[number]).split()]
