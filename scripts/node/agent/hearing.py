"""Which ranks of a run are heard of: a node that hangs, crashes or is deleted says nothing of it."""
import socket
import time

from rank import boot

SPEAK_SECONDS = 1  # between two signs of life
MISSED_SECONDS = 3  # without one, and a rank that failed may have failed since this one is gone
SUSPENDED_SECONDS = 10  # between two looks: this process stood still, and nobody could be heard
CAUSES = "its node crashed, was restarted, hangs, or cannot be reached"


class Hearing:
    """Each rank is missed only once it was heard."""

    def __init__(self, rank, silence):
        self.me, self.silence = {"rank": rank, "node": socket.gethostname(), "boot": boot()}, silence
        # Of all ranks, as texts: they go through JSON.
        self.boots = {str(rank): self.me["boot"]}
        self.nodes, self.heard, self.unconnected = {}, {}, set()
        self.speak_at, self.looked_at = 0.0, time.monotonic()

    def is_time_to_speak(self):
        now = time.monotonic()
        if now < self.speak_at:
            return False
        self.speak_at = now + SPEAK_SECONDS
        return True

    def hear(self, sender):
        self.nodes[sender["rank"]] = sender["node"]
        self.heard[sender["rank"]] = time.monotonic()
        self.unconnected.discard(sender["rank"])
        self.boots[str(sender["rank"])] = sender["boot"]

    def disconnect(self, rank):
        self.unconnected.add(rank)

    def forget(self, rank):
        """One whose rank has succeeded may go."""
        self.heard.pop(rank, None)

    def lost(self):
        """The ending of a rank that was silent for too long; None while there is none."""
        now = time.monotonic()
        if now - self.looked_at > SUSPENDED_SECONDS:
            self.heard = {rank: now for rank in self.heard}
        self.looked_at = now
        for rank, seconds in self.silent(self.silence):
            return {"rank": rank, "node": self.nodes[rank], "state": "failed", "exitCode": None, "lines": [], "isLost": True,
                    "reason": f"no sign of life for {round(seconds)} s: {CAUSES}"}
        return None

    def silent(self, least):
        """The ranks that have been silent for some seconds, and for how many."""
        now = time.monotonic()
        return [(rank, now - heard) for rank, heard in sorted(self.heard.items()) if now - heard >= least]

    def why_failed(self):
        """Why a rank may have failed that nobody else's failure explains: another one is not heard of."""
        missed = {rank for rank, _ in self.silent(MISSED_SECONDS)} | (self.unconnected & set(self.heard))
        rank = min(missed, default=None)
        return None if rank is None else f"rank {rank} on {self.nodes[rank]} was not heard of by then: {CAUSES}"
