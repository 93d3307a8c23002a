#!/usr/bin/env python3
"""Trains a small transformer to tell the next byte of a text: the sources of Python's standard library, or your own.

Start it once on every node, the same everywhere except for --rank:

    python char_lm.py --master-addr 192.168.1.2 --rank 0     # on 192.168.1.2
    python char_lm.py --master-addr 192.168.1.2 --rank 1     # on 192.168.2.2

It is large and hard enough to tell the modes of --sync apart: a million parameters are 4 MB of gradients a step. The loss
is in nats a byte (8 bits of chance are 5.545), the accuracy that of the next byte. The last line on stdout is
`RESULT {json}`. How it is done is in training.py; beside it lie arguments, checkpoint, data, group, metrics, model, sync
and text.
"""
from __future__ import annotations

import argparse

import torch
from torch import Tensor, nn

from text import name_of_text, read_text, windows
from training import Job, RankArguments, add_rank_arguments, check_rank_arguments, train

BYTES = 256


class Block(nn.Module):
    """A layer: every byte looks at those before it, then thinks about what it has seen."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before_looking, self.before_thinking = nn.LayerNorm(width), nn.LayerNorm(width)
        self.questions_keys_values, self.looked = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.think = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor, hidden: Tensor) -> Tensor:
        """x: N x length x width; hidden: length x length, true where a byte must not look."""
        count, length, width = x.shape
        of_heads = self.questions_keys_values(self.before_looking(x)).view(count, length, 3, self.heads, -1)
        questions, keys, values = of_heads.permute(2, 0, 3, 1, 4)  # each N x heads x length x width / heads
        attention = questions @ keys.transpose(2, 3) * keys.shape[3] ** -0.5
        seen = attention.masked_fill(hidden, float("-inf")).softmax(dim=3) @ values
        x = x + self.looked(seen.transpose(1, 2).reshape(count, length, width))
        return x + self.think(self.before_thinking(x))


class Transformer(nn.Module):
    """Takes N x length bytes and gives N x length x 256 scores: of what follows each."""

    def __init__(self, context: int, width: int = 128, layers: int = 5, heads: int = 4) -> None:
        super().__init__()
        self.bytes, self.places = nn.Embedding(BYTES, width), nn.Embedding(context, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.last = nn.LayerNorm(width)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)
            if isinstance(module, nn.Embedding):  # learns faster than with 0.02
                nn.init.normal_(module.weight, std=0.1)

    def forward(self, text: Tensor) -> Tensor:
        places = torch.arange(text.shape[1], device=text.device)
        hidden = places[:, None] < places
        x = self.bytes(text.long()) + self.places(places)
        for block in self.blocks:
            x = block(x, hidden)
        return self.last(x) @ self.bytes.weight.T


class Arguments(RankArguments):
    data: str | None
    text_bytes: int
    context: int


def parse_arguments() -> Arguments:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add_rank_arguments(parser)
    # SGD's momentum is no setting of AdamW, which is what trains a transformer, in every mode of --sync.
    parser.set_defaults(batch_size=16, epochs=1, lr=0.003, momentum=0.0)
    parser.add_argument("--data", metavar="PATH",
                        help="a file, or a folder with files; default: the modules of Python's standard library")
    parser.add_argument("--text-bytes", type=int, default=2_000_000, metavar="N", help="how much of it to take, at most")
    parser.add_argument("--context", type=int, default=128, metavar="N", help="bytes that the model sees at once")
    args = parser.parse_args(namespace=Arguments())
    check_rank_arguments(parser, args, "text_bytes", "context")
    if args.momentum:
        parser.error(f"--momentum is {args.momentum:g}; AdamW has none: leave it out")
    return args


def main() -> None:
    args = parse_arguments()
    train(args, Job(
        load=lambda: windows(read_text(args.data, args.text_bytes), args.context, args.world_size, args.seed),
        source=name_of_text(args.data),
        build=lambda _: Transformer(args.context),
        optimizer=lambda parameters: torch.optim.AdamW(parameters, lr=args.lr),
        settings={"text_bytes": args.text_bytes, "context": args.context},
    ))


if __name__ == "__main__":
    main()
