#!/usr/bin/env python3
"""Trains a small CNN on handwritten digits with PyTorch DistributedDataParallel, one process (rank) a node or a GPU.

Start it once on every node, the same everywhere except for --rank:

    python pytorch_mnist_dist.py --master-addr 192.168.1.2 --rank 0     # on 192.168.1.2
    python pytorch_mnist_dist.py --master-addr 192.168.1.2 --rank 1     # on 192.168.2.2

or by torchrun, with a process for each GPU of a node:

    torchrun --nnodes 2 --nproc_per_node 2 --node_rank 0 --master_addr 192.168.1.2 --master_port 29500 \\
        pytorch_mnist_dist.py                                           # and --node_rank 1 on the other node

Every rank trains on its own shard of the data; the gradients of each step are averaged over all ranks, or --sync says how
else the ranks come together. The last line on stdout is `RESULT {json}`. How it is done is in training.py; beside it lie
arguments, checkpoint, data, group, metrics, model and sync.
"""
from __future__ import annotations

import argparse

import torch

from data import ImageArguments, add_image_arguments, check_image_arguments, load_samples
from model import model_for
from training import Job, RankArguments, add_rank_arguments, check_rank_arguments, train


class Arguments(RankArguments, ImageArguments):
    pass


def parse_arguments() -> Arguments:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add_rank_arguments(parser)
    add_image_arguments(parser)
    args = parser.parse_args(namespace=Arguments())
    check_rank_arguments(parser, args)
    check_image_arguments(parser, args)
    return args


def main() -> None:
    args = parse_arguments()
    train(args, Job(
        load=lambda: load_samples(args, args.world_size),
        source=args.data or args.data_dir,
        build=lambda samples: model_for(samples.inputs),
        # DiLoCo wants ranks to train alone with AdamW: see sync.py.
        optimizer=lambda parameters: (torch.optim.AdamW(parameters, lr=args.lr) if args.sync == "diloco" else
                                      torch.optim.SGD(parameters, lr=args.lr, momentum=args.momentum)),
        settings={"dataset": args.dataset},
    ))


if __name__ == "__main__":
    main()
