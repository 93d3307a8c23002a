"""What the supervisors of a run's ranks tell each other: that rank 0 listens, and how one ended that ends them all.

Rank 0's supervisor serves at the master's address (`Hub`), the others connect to it (`Member`), and again when the
connection is lost: a cut network ends nothing here; how long one may last is up to PyTorch's own timeout.
Messages are JSON objects, one a line: {"hello": {runId, rank, attempt, node, crew}}, {"start": true},
{"alive": {rank, node, boot}} every second, from rank 0 with the {"boots"} of all by their ranks, {"done": true} from a
supervisor whose rank has succeeded, {"ended": ENDING} where ENDING is {rank, node, state: "failed" or "stopped", exitCode,
reason, lines}, with isLost where a rank is no longer heard of.
"""
import contextlib
import errno
import json
import selectors
import socket
import time

from hearing import Hearing

SEND_SECONDS = 2  # how long a peer that takes no message is waited for
LINGER_SECONDS = 5  # how long rank 0's supervisor stays to tell late members that the run has ended
WAITING_SECONDS = 0.1  # between two looks whether rank 0 listens
RUNNING_SECONDS = 1  # between two attempts to connect once the ranks run
MAX_MESSAGE = 1 << 20  # bytes


class Connection:
    """Messages over a socket, of which the selector says when there is something to read."""

    def __init__(self, selector, connected, on_ready):
        self.selector, self.socket, self.buffer = selector, connected, b""
        connected.setblocking(False)
        selector.register(connected, selectors.EVENT_READ, lambda: on_ready(self))

    def receive(self):
        """The messages that have come; None once the peer is gone, or says what is none."""
        try:
            block = self.socket.recv(1 << 16)
            *lines, self.buffer = (self.buffer + block).split(b"\n")
            messages = [json.loads(line) for line in lines]
        except BlockingIOError:
            return []
        except (OSError, ValueError):
            return None
        whole = len(self.buffer) <= MAX_MESSAGE and all(isinstance(message, dict) for message in messages)
        return messages if block and whole else None

    def send(self, message):
        """Whether the peer's machine took it."""
        try:
            self.socket.settimeout(SEND_SECONDS)
            self.socket.sendall(json.dumps(message).encode() + b"\n")
            self.socket.setblocking(False)
            return True
        except OSError:
            return False

    def close(self):
        self.selector.unregister(self.socket)
        self.socket.close()


class Hub:
    """At rank 0, which may always start."""

    may_start = True

    def __init__(self, selector, group, run_id, attempt, patience, hearing, crew):
        self.selector, self.group, self.run_id, self.attempt, self.crew = selector, group, run_id, attempt, crew
        self.hearing = hearing
        self.listener, self.members, self.told = None, {}, set()
        self.has_started, self.ended = False, None
        # A script of the user's own need not meet at the master's port.
        self.start_by = time.monotonic() + 0.75 * patience

    @property
    def tempo(self):
        """Seconds between two calls of `tick`."""
        return RUNNING_SECONDS if self.has_started and self.listener is not None else WAITING_SECONDS

    @property
    def sign_of_life(self):
        return {"alive": self.hearing.me, "boots": self.hearing.boots}

    def tick(self):
        """Called now and then: an earlier attempt's supervisor may have the port still."""
        if self.listener is None:
            with contextlib.suppress(OSError):
                self.listener = socket.create_server((self.group["address"], self.group["port"]))
                self.listener.setblocking(False)
                self.selector.register(self.listener, selectors.EVENT_READ, self.accept)
        is_ready = not self.has_started and (is_listening(self.group["rendezvousPort"]) or time.monotonic() > self.start_by)
        if is_ready:
            self.has_started = True
            self.tell_all({"start": True, **self.sign_of_life})
        if self.hearing.is_time_to_speak():
            self.tell_all(self.sign_of_life)
        lost = None if self.ended else self.hearing.lost()
        if lost is not None:
            self.tell(lost)

    def accept(self):
        with contextlib.suppress(OSError):
            connected, _ = self.listener.accept()
            self.members[Connection(self.selector, connected, self.on_ready)] = None

    def on_ready(self, member):
        messages = member.receive()
        for message in messages or []:
            if "hello" in message:
                self.greet(member, message["hello"])
            elif "alive" in message and self.members.get(member) is not None:
                self.hearing.hear(message["alive"])
            elif "done" in message:
                self.hearing.forget(self.members.get(member))
            elif "ended" in message and self.members.get(member) is not None and self.ended is None:
                self.tell(message["ended"])
        if messages is None:
            self.drop(member)

    def greet(self, member, hello):
        # A later attempt's member waits for the later attempt's rank 0.
        is_later = self.ended is not None and hello.get("attempt", 0) > self.attempt
        if hello.get("runId") != self.run_id or hello.get("crew") != self.crew or is_later:
            return self.drop(member)
        self.members[member] = hello["rank"]
        if "node" in hello:  # one of an earlier version gives no sign of life
            self.hearing.hear(hello)
        if self.ended is not None:
            self.tell_one(member, {"ended": self.ended})
        elif self.has_started:
            self.tell_one(member, {"start": True, **self.sign_of_life})

    def tell(self, ended):
        """Ends the run everywhere."""
        self.ended = ended
        self.tell_all({"ended": ended})

    def tell_all(self, message):
        for member, rank in list(self.members.items()):
            if rank is not None:
                self.tell_one(member, message)

    def tell_one(self, member, message):
        rank = self.members[member]
        if not member.send(message):
            self.drop(member)
        elif "ended" in message:
            self.told.add(rank)

    def done(self):
        """This rank has succeeded: nobody is to miss it."""
        self.tell_all({"done": True})

    def drop(self, member):
        rank = self.members.pop(member, self)
        if rank is not self:
            member.close()
            self.hearing.disconnect(rank)

    def linger(self):
        """Stays until all members know how the run ended, for a while."""
        deadline = time.monotonic() + LINGER_SECONDS
        while self.ended is not None and len(self.told) < self.group["size"] - 1 and time.monotonic() < deadline:
            for key, _ in self.selector.select(0.1):
                key.data()


class Member:
    """At every other rank."""

    def __init__(self, selector, group, run_id, attempt, hearing, crew):
        self.selector, self.group, self.hearing = selector, group, hearing
        self.hello = {"hello": {"runId": run_id, "attempt": attempt, "crew": crew, **hearing.me}}
        self.hub, self.connecting, self.next_attempt = None, None, 0.0
        self.may_start, self.ended = False, None

    @property
    def tempo(self):
        """Seconds between two calls of `tick`."""
        return RUNNING_SECONDS if self.may_start else WAITING_SECONDS

    def tick(self):
        """Called now and then: connects, and again after a loss."""
        if self.hearing.is_time_to_speak() and self.hub is not None and not self.hub.send({"alive": self.hearing.me}):
            self.lose()
        self.ended = self.ended or self.hearing.lost()
        now = time.monotonic()
        if self.hub is not None or now < self.next_attempt or self.ended is not None:
            return
        self.stop_connecting()
        self.next_attempt = now + self.tempo
        self.connecting = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.connecting.setblocking(False)
        begun = self.connecting.connect_ex((self.group["address"], self.group["port"]))
        if begun in (0, errno.EINPROGRESS):
            self.selector.register(self.connecting, selectors.EVENT_WRITE, self.on_connected)
        else:
            self.connecting.close()
            self.connecting = None

    def stop_connecting(self):
        if self.connecting is not None:
            self.selector.unregister(self.connecting)
            self.connecting.close()
            self.connecting = None

    def on_connected(self):
        if self.connecting.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            return self.stop_connecting()
        self.selector.unregister(self.connecting)
        self.hub = Connection(self.selector, self.connecting, self.on_ready)
        self.connecting = None
        if not self.hub.send(self.hello):
            self.lose()

    def on_ready(self, hub):
        messages = hub.receive()
        for message in messages or []:
            self.may_start = self.may_start or "start" in message
            self.ended = self.ended or message.get("ended")
            if "alive" in message:
                self.hearing.hear(message["alive"])
                self.hearing.boots.update(message.get("boots", {}))
            elif "done" in message:
                self.hearing.forget(0)
        if messages is None:
            self.lose()

    def lose(self):
        self.hearing.disconnect(0)
        self.hub.close()
        self.hub = None

    def tell(self, ended):
        """Tells rank 0, which tells the others."""
        self.send({"ended": ended})

    def done(self):
        """This rank has succeeded: nobody is to miss it."""
        self.send({"done": True})

    def send(self, message):
        if self.hub is not None and self.hub.send(message):
            return
        with contextlib.suppress(OSError), socket.create_connection(
                (self.group["address"], self.group["port"]), timeout=SEND_SECONDS) as hub:
            hub.sendall(b"".join(json.dumps(each).encode() + b"\n" for each in (self.hello, message)))

    def linger(self):
        pass


class Alone:
    """Of a rank that has no peers."""

    may_start, ended, tempo = True, None, RUNNING_SECONDS
    hearing = Hearing(0, 0)

    def tick(self):
        pass

    def done(self):
        pass

    def tell(self, ended):
        pass

    def linger(self):
        pass


def peers_of(selector, group, run_id, attempt, rank, patience, silence, crew):
    """`group` is {address, port: where rank 0's supervisor serves, rendezvousPort: where the ranks meet, size: how many
    are supervised}, None for a rank alone; ranks of another `crew` are not let in; `patience` is how many seconds the
    others wait for rank 0, `silence` how many seconds a rank may not be heard of.
    """
    if group is None:
        return Alone()
    if rank == 0:
        return Hub(selector, group, run_id, attempt, patience, Hearing(rank, silence), crew)
    return Member(selector, group, run_id, attempt, Hearing(rank, silence), crew)


def is_listening(port):
    """Whether anything on this node listens at a TCP port (proc_net_tcp: state 0A)."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(FileNotFoundError), open(table) as sockets:
            for line in sockets:
                fields = line.split()
                if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                    return True
    return False
