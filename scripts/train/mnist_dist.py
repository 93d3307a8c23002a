#!/usr/bin/env python3
"""Trains a small CNN on handwritten digits on several machines, told where to meet by the environment.

    export GLOO_SOCKET_IFNAME=eth0 MASTER_ADDR=192.168.1.2 MASTER_PORT=23456
    python mnist_dist.py --world_size=2 --rank=0     # on 192.168.1.2
    python mnist_dist.py --world_size=2 --rank=1     # on 192.168.2.2

Everything else is as pytorch_mnist_dist.py does it, which takes the same settings as arguments.
"""
from __future__ import annotations

import os
import sys

import pytorch_mnist_dist


def main() -> None:
    if "MASTER_ADDR" not in os.environ:
        sys.exit("error: MASTER_ADDR is not set; set it to the address of the node of rank 0, the same on every "
                 "node, for example: MASTER_ADDR=192.168.1.2 MASTER_PORT=23456 python mnist_dist.py "
                 "--world_size=2 --rank=0")
    os.environ.setdefault("RANK", "0")
    pytorch_mnist_dist.main()


if __name__ == "__main__":
    main()
