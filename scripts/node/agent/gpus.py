"""What nvidia-smi says of the node's GPUs, noted beside the metrics of its ranks."""
import contextlib
import json
import os
import selectors
import shutil
import subprocess
import time

SAMPLE_SECONDS = 5
FIELDS = {"index": "index", "utilizationPercent": "utilization.gpu", "memoryMiB": "memory.used", "powerW": "power.draw",
          "temperatureC": "temperature.gpu"}


class GpuSampler:
    """Appends a JSON line for each GPU to METRICS_DIR/gpus.jsonl every few seconds; nothing where there is no nvidia-smi.

    A line is {time: seconds since 1970, index, utilizationPercent, memoryMiB, powerW, temperatureC}; null where the GPU
    does not tell.
    """

    def __init__(self, selector, environment):
        self.selector, self.asking, self.output, self.next_sample = selector, None, b"", 0.0
        # One rank of a node does it for all of them.
        is_first = environment.get("LOCAL_RANK", "0") == "0"
        self.program = shutil.which("nvidia-smi") if is_first and "METRICS_DIR" in environment else None
        self.file = os.path.join(environment.get("METRICS_DIR", ""), "gpus.jsonl")

    def tick(self):
        if self.program is None or self.asking is not None or time.monotonic() < self.next_sample:
            return
        self.next_sample = time.monotonic() + SAMPLE_SECONDS
        query = [f"--query-gpu={','.join(FIELDS.values())}", "--format=csv,noheader,nounits"]
        self.asking = subprocess.Popen([self.program, *query], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=subprocess.DEVNULL)
        self.selector.register(self.asking.stdout, selectors.EVENT_READ, self.on_output)

    def on_output(self):
        block = os.read(self.asking.stdout.fileno(), 1 << 16)
        self.output += block
        if not block:
            self.close()
            lines = [json.dumps({"time": round(time.time(), 3), **sample}) + "\n" for sample in parse(self.output.decode())]
            with contextlib.suppress(OSError), open(self.file, "a") as file:  # the rank reports a full disk
                file.write("".join(lines))
            self.output = b""

    def close(self):
        if self.asking is None:
            return
        self.selector.unregister(self.asking.stdout)
        self.asking.stdout.close()
        with contextlib.suppress(ProcessLookupError):
            self.asking.kill()
        self.asking.wait()
        self.asking = None


def parse(table):
    """The samples of `nvidia-smi --format=csv,noheader,nounits`, by the names of FIELDS."""
    rows = [line.split(", ") for line in table.splitlines()]
    return [dict(zip(FIELDS, map(number, row))) for row in rows if len(row) == len(FIELDS)]


def number(text):
    try:
        return float(text)
    except ValueError:  # "[N/A]"
        return None
