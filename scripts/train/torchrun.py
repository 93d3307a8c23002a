#!/usr/bin/env python3
"""torchrun for every PyTorch from 1.13 on: takes the arguments of `torchrun`.

On Python 3.11 PyTorch 1.13 fails with its own defaults, `--redirects 0` and `--tee 0`: it looks for them among the members
of an enum.Flag, where Python no longer lists a zero. Source: "Changed in version 3.11" in the documentation of enum;
torch/distributed/elastic/multiprocessing/api.py, which later versions mend.
"""
from torch.distributed import run
from torch.distributed.elastic.multiprocessing import Std


def std_from_str(text):
    """`0` to `3`, or that for each local rank, e.g. `0:1,1:0`."""
    if ":" not in text:
        return Std(int(text))
    pairs = (pair.split(":") for pair in text.split(","))
    return {int(rank): Std(int(value)) for rank, value in pairs}


if __name__ == "__main__":
    if Std.from_str("0") is None:
        Std.from_str = std_from_str
    run.main()
