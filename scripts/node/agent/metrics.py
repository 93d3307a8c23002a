"""What the ranks of this node noted of their steps."""
import contextlib
import glob
import json
import os
import re

from checks import REQUIRED, check
from rank import Rank

MAX_STEPS = 2000  # lines of steps that are told of a rank; of more, evenly chosen ones and the last


def metrics(arguments):
    """{ranks: [{rank, lines}], gpus}: the JSON lines of METRICS_DIR/rank-N.jsonl of all ranks that a launch has started
    on this node, and those of its GPUs.
    """
    run_id, rank = check(arguments, runId=(str, REQUIRED), rank=(int, REQUIRED))
    this = Rank(run_id, rank)
    paths = glob.glob(os.path.join(glob.escape(this.metrics), "rank-*.jsonl"))
    there = sorted(int(re.search(r"rank-(\d+)\.jsonl$", path).group(1)) for path in paths)
    # One process of the whole run may have workers of its own, each with its file.
    ranks = this.read()["ranks"] if len(launched(this)) > 1 else there
    return {"ranks": [{"rank": each, "lines": thinned(read_lines(this.metrics, f"rank-{each}"))} for each in ranks if each in there],
            "gpus": read_lines(this.metrics, "gpus")[-MAX_STEPS:]}


def launched(this):
    return glob.glob(os.path.join(glob.escape(os.path.dirname(this.directory)), "rank-*"))


def read_lines(folder, name):
    """The objects of a file of JSON lines; what is none, or is being written, is left out.

    Python writes a loss that diverged as NaN or Infinity, which JSON does not know: null here.
    """
    lines = []
    with contextlib.suppress(FileNotFoundError), open(os.path.join(folder, f"{name}.jsonl")) as file:
        for line in file:
            with contextlib.suppress(ValueError):
                lines.append(json.loads(line, parse_constant=lambda _constant: None))
    return [line for line in lines if isinstance(line, dict)]


def thinned(lines):
    """Each step once, as the last attempt did it, and not too many of them."""
    steps = {line.get("step"): line for line in lines if line.get("event") == "step"}
    chosen = sorted(steps, key=lambda step: (step is None, step))
    stride = -(-len(chosen) // MAX_STEPS)
    kept = {id(steps[step]) for step in [*chosen[::max(stride, 1)], *chosen[-1:]]}
    return [line for line in lines if line.get("event") != "step" or id(line) in kept]
