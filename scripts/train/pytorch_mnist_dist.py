#!/usr/bin/env python3
"""Trains a small CNN on handwritten digits with PyTorch DistributedDataParallel, one process (rank) a node.

Start it once on every node, the same everywhere except for --rank:

    python pytorch_mnist_dist.py --master-addr 192.168.1.2 --rank 0     # on 192.168.1.2
    python pytorch_mnist_dist.py --master-addr 192.168.1.2 --rank 1     # on 192.168.2.2

Every rank trains on its own shard of the data; after each step the gradients are averaged over all
ranks, so all ranks keep the same parameters. Both claims are checked: the script fails if they do not hold.
The last line on stdout is `RESULT {json}`.
"""
import argparse
import array
import datetime
import fcntl
import hashlib
import json
import os
import signal
import socket
import struct
import sys
import time

import numpy
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.data.distributed import DistributedSampler


class TrainingError(Exception):
    """Something the user can understand and mend: shown as one message, without a traceback."""


def data_beside_this_script():
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), "digits.npz")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    # torchrun passes these four by the environment.
    parser.add_argument("--master-addr", default=os.environ.get("MASTER_ADDR"), help="address of the node of rank 0")
    parser.add_argument("--master-port", type=int, default=os.environ.get("MASTER_PORT", "29500"))
    parser.add_argument("--world-size", type=int, default=os.environ.get("WORLD_SIZE", "2"), help="number of ranks")
    parser.add_argument("--rank", type=int, default=os.environ.get("RANK"), help="0 to world size - 1")
    parser.add_argument("--batch-size", type=int, default=64, help="samples a step on each rank")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--momentum", type=float, default=0.5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--log-interval", type=int, default=10, help="steps between two lines, 0: epochs only")
    parser.add_argument("--no-cuda", action="store_true", help="train on the CPU even if there is a GPU")
    parser.add_argument("--backend", choices=["auto", "gloo", "nccl"], default="auto",
                        help="auto: nccl if every rank has CUDA, otherwise gloo")
    parser.add_argument("--data", default=data_beside_this_script(), metavar="FILE",
                        help=".npz file with the arrays images and labels")
    parser.add_argument("--timeout", type=float, default=60, metavar="SECONDS",
                        help="how long to wait for the other ranks, at the start and in every step")
    parser.add_argument("--threads", type=int, default=1,
                        help="CPU threads; more than one costs more than it brings on images this small")
    parser.add_argument("--checkpoint-dir", default=os.environ.get("CHECKPOINT_DIR"), metavar="FOLDER",
                        help="save the state of training there, and go on from it after a stop; of each rank its own")
    parser.add_argument("--checkpoint-every", type=int, default=os.environ.get("CHECKPOINT_EVERY", "50"), metavar="STEPS")
    parser.add_argument("--output", metavar="FILE", help="write the metrics of every step there, as JSON lines")
    args = parser.parse_args()

    if args.master_addr is None or args.rank is None:
        parser.error("--master-addr and --rank are needed, for example --master-addr 192.168.1.2 --rank 0")
    if args.world_size < 1:
        parser.error(f"--world-size is {args.world_size}; it must be 1 or more")
    if not 0 <= args.rank < args.world_size:
        parser.error(f"--rank is {args.rank}; with --world-size {args.world_size} it must be 0 to {args.world_size - 1}")
    if not 0 < args.master_port < 65536:
        parser.error(f"--master-port is {args.master_port}; it must be 1 to 65535")
    for name in ("batch_size", "epochs", "timeout", "threads", "checkpoint_every"):
        if getattr(args, name) <= 0:
            parser.error(f"--{name.replace('_', '-')} is {getattr(args, name)}; it must be more than 0")
    return args


def interface_holding(address):
    """The name of the network interface that holds an IPv4 address (ioctl SIOCGIFCONF, see netdevice(7))."""
    table = array.array("B", bytes(64 * 1024))
    request = struct.pack("@iP", len(table), table.buffer_info()[0])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        length, _ = struct.unpack("@iP", fcntl.ioctl(any_socket, 0x8912, request))
    entry_size = 40 if struct.calcsize("P") == 8 else 32
    for start in range(0, length, entry_size):
        entry = table[start:start + entry_size].tobytes()
        if socket.inet_ntoa(entry[20:24]) == address:
            return entry[:16].split(b"\0")[0].decode().split(":")[0]
    raise TrainingError(f"no network interface holds {address}; name the one to use in GLOO_SOCKET_IFNAME")


def choose_interface(args):
    """Makes gloo and nccl use the one interface on the route to the master; left alone, they may take another."""
    try:
        master = socket.gethostbyname(args.master_addr)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as route:
            route.connect((master, args.master_port))  # sends nothing: it only looks up the route
            own_address = route.getsockname()[0]
    except OSError as error:
        raise TrainingError(f"--master-addr {args.master_addr} cannot be reached from here: {error.strerror}; "
                            "give the address of the node of rank 0 and check the route to it") from error
    if args.rank == 0 and own_address != master:
        raise TrainingError(f"--master-addr {args.master_addr} is not an address of this node (which has "
                            f"{own_address}); rank 0 must run on the node that --master-addr names")
    interface = os.environ.get("GLOO_SOCKET_IFNAME") or interface_holding(own_address)
    os.environ["GLOO_SOCKET_IFNAME"] = interface
    os.environ.setdefault("NCCL_SOCKET_IFNAME", interface)
    return interface


def load_digits(path):
    """The images (float, N x 1 x height x width, 0 to 1) and labels (0 to 9) of an .npz file."""
    try:
        with numpy.load(path, allow_pickle=False) as arrays:
            images, labels = arrays["images"], arrays["labels"]
    except KeyError as error:
        raise TrainingError(f"{path} holds no array {error}; it must hold images and labels") from error
    except FileNotFoundError as error:
        raise TrainingError(f"there is no data file {path}; write one with write_digits.py, "
                            "or name another with --data") from error
    except Exception as error:  # numpy raises many kinds of errors for a file that is no .npz
        raise TrainingError(f"{path} cannot be read as an .npz file ({error}); write one with write_digits.py") from error
    if images.shape != (len(labels), 8, 8) or labels.ndim != 1 or not len(labels):
        raise TrainingError(f"{path} holds images of shape {images.shape} and labels of shape {labels.shape}; "
                            "they must be N x 8 x 8 and N")
    if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() > 9:
        raise TrainingError(f"{path} holds labels that are not whole numbers from 0 to 9")
    return torch.from_numpy(images).float().unsqueeze(1) / 16, torch.from_numpy(labels).long()


def split(count, world_size, seed):
    """Splits the samples into those to train on and the held-out fifth, the same on every rank.

    The few samples that would make the shards unequal are held out too: otherwise DistributedSampler
    would give them to two ranks.
    """
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    training = (count - count // 5) // world_size * world_size
    if training == 0:
        raise TrainingError(f"{count} samples are too few for {world_size} ranks")
    return order[:training], order[training:]


def build_model():
    return nn.Sequential(
        nn.Conv2d(1, 16, kernel_size=3, padding=1), nn.ReLU(),
        nn.Conv2d(16, 32, kernel_size=3, padding=1), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(32 * 4 * 4, 64), nn.ReLU(),
        nn.Linear(64, 10),
    )


def join_group(args):
    """Meets the other ranks; returns the device to train on and the process group for the gradients.

    The ranks always meet over gloo, which works everywhere; gradients go over nccl where every rank has CUDA.
    """
    os.environ["MASTER_ADDR"] = args.master_addr
    os.environ["MASTER_PORT"] = str(args.master_port)
    timeout = datetime.timedelta(seconds=args.timeout)
    try:
        dist.init_process_group("gloo", init_method="env://", rank=args.rank, world_size=args.world_size,
                                timeout=timeout)
    except (RuntimeError, OSError) as error:
        raise TrainingError(f"the {args.world_size} ranks did not meet at {args.master_addr}:{args.master_port} "
                            f"within {args.timeout:g} s ({first_line(error)}); check that every rank was started with "
                            "the same --master-addr, --master-port and --world-size, each with its own --rank, "
                            "and that the node of rank 0 can be reached") from error

    has_cuda = torch.cuda.is_available() and not args.no_cuda
    device = torch.device("cpu")
    if has_cuda:
        local_rank = int(os.environ.get("LOCAL_RANK", args.rank % torch.cuda.device_count()))
        device = torch.device("cuda", local_rank)
        torch.cuda.set_device(device)
    ranks_with_cuda = [rank for rank, flag in enumerate(gather(torch.tensor([has_cuda]).byte())) if flag.item()]
    cuda_everywhere = len(ranks_with_cuda) == args.world_size
    if args.backend == "nccl" and not cuda_everywhere:
        raise TrainingError(f"--backend nccl needs CUDA on every rank, and only the ranks {ranks_with_cuda} have it; "
                            "use --backend auto or gloo")
    if args.backend == "gloo" or not cuda_everywhere:
        return device, "gloo", dist.group.WORLD
    return device, "nccl", dist.new_group(backend="nccl", timeout=timeout)


def gather(tensor):
    """The tensors of all ranks, in the order of the ranks."""
    everyone = [torch.empty_like(tensor) for _ in range(dist.get_world_size())]
    dist.all_gather(everyone, tensor)
    return everyone


def check_shards(seen, expected):
    """Fails unless the samples that the ranks saw are disjoint and together complete."""
    shards = gather(seen)
    together = torch.cat(shards).sort().values
    if not torch.equal(together, expected.sort().values):
        raise TrainingError(f"the shards of the {len(shards)} ranks are not disjoint and complete: they hold "
                            f"{len(together)} samples, {len(together.unique())} of them different; "
                            f"expected are {len(expected)} different ones. Do all ranks have the same --data and --seed?")


def digest_of(model):
    """The SHA-256 of all parameters."""
    digest = hashlib.sha256()
    for parameter in model.parameters():
        digest.update(parameter.detach().cpu().contiguous().numpy().tobytes())
    return digest


def check_parameters(model):
    """Fails unless all ranks have the same parameters, bit for bit; returns their SHA-256."""
    digest = digest_of(model)
    digests = [bytes(other.tolist()).hex() for other in gather(torch.tensor(list(digest.digest()), dtype=torch.uint8))]
    if len(set(digests)) != 1:
        raise TrainingError(f"the ranks ended with different parameters, SHA-256 by rank: {digests}")
    return digest.hexdigest()


class Checkpoints:
    """The last states of training of this rank, as files `step-N.pt`; does nothing without a folder."""

    KEPT = 2  # ranks may be one checkpoint apart when they are stopped: the one before is in all hands

    def __init__(self, args):
        self.folder, self.every = args.checkpoint_dir, args.checkpoint_every
        # What makes the same step the same state; a run with other settings is another run.
        self.settings = {name: getattr(args, name) for name in ("world_size", "batch_size", "lr", "momentum", "seed")}
        if self.folder is not None:
            self.folder = os.path.join(self.folder, f"rank-{args.rank}")
            os.makedirs(self.folder, exist_ok=True)

    def steps(self):
        """Steps that there are checkpoints of, newest first."""
        if self.folder is None:
            return []
        names = (name[len("step-"):-len(".pt")] for name in os.listdir(self.folder) if name.endswith(".pt"))
        return sorted((int(name) for name in names), reverse=True)

    def save(self, step, state):
        """Whole or not at all, also when the machine fails in between."""
        if self.folder is None or step % self.every:
            return
        target = os.path.join(self.folder, f"step-{step}.pt")
        with open(f"{target}.part", "wb") as file:
            torch.save({"settings": self.settings, **state}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(f"{target}.part", target)
        for old in self.steps()[self.KEPT:]:
            os.unlink(os.path.join(self.folder, f"step-{old}.pt"))

    def newest(self):
        """The newest state that every rank has a checkpoint of; None where training begins."""
        mine = (self.steps() + [0] * self.KEPT)[:self.KEPT]
        everyone = [set(steps.tolist()) for steps in gather(torch.tensor(mine))]
        step = max(set.intersection(*everyone), default=0)
        if step == 0:
            return None
        path = os.path.join(self.folder, f"step-{step}.pt")
        state = torch.load(path, map_location="cpu")
        if state["settings"] != self.settings:
            raise TrainingError(f"{path} was made with the settings {state['settings']}, this run has {self.settings}; "
                                "train on with those, or give another --checkpoint-dir")
        return state


def evaluate(model, images, labels, rank, world_size):
    """How many of this rank's share of the held-out samples the model gets right."""
    model.eval()
    with torch.no_grad():
        predicted = model(images[rank::world_size]).argmax(dim=1)
    model.train()
    return (predicted == labels[rank::world_size]).sum().item()


def train(args, write_metrics):
    images, labels = load_digits(args.data)
    training, held_out = split(len(labels), args.world_size, args.seed)
    interface = choose_interface(args)
    device, backend, gradient_group = join_group(args)
    print(f"rank {args.rank} of {args.world_size}: PyTorch {torch.__version__}, {device}, {backend} over {interface}, "
          f"{len(training) // args.world_size} of {len(training)} training samples", flush=True)

    torch.manual_seed(args.seed)
    model = build_model().to(device)
    distributed = DistributedDataParallel(model, process_group=gradient_group)
    optimizer = torch.optim.SGD(model.parameters(), lr=args.lr, momentum=args.momentum)
    loss_of = nn.CrossEntropyLoss()
    gradient_bytes = sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())

    # The third column says which sample of the file each row is, to check afterwards what was trained on.
    dataset = TensorDataset(images[training], labels[training], training)
    sampler = DistributedSampler(dataset, num_replicas=args.world_size, rank=args.rank, seed=args.seed)
    loader = DataLoader(dataset, batch_size=args.batch_size, sampler=sampler)
    held_out_images, held_out_labels = images[held_out].to(device), labels[held_out].to(device)

    steps, training_seconds, samples_seen = 0, 0.0, 0
    shard = None
    first_epoch, steps_done = 1, 0
    checkpoints = Checkpoints(args)
    state = checkpoints.newest()
    if state is not None:
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        first_epoch, steps_done = state["epoch"], state["stepsOfEpoch"]
        steps, training_seconds, samples_seen, shard = (
            state[name] for name in ("steps", "trainingSeconds", "samplesSeen", "shard"))
        print(f"rank {args.rank}: goes on after step {steps}, in epoch {first_epoch}", flush=True)
    for epoch in range(first_epoch, args.epochs + 1):
        sampler.set_epoch(epoch)  # another order, and other shards, in every epoch
        epoch_loss, epoch_seconds, epoch_samples = 0.0, 0.0, []
        if state is not None:
            epoch_loss, epoch_seconds, epoch_samples = (
                state[name] for name in ("epochLoss", "epochSeconds", "epochSamples"))
            state = None
        started = time.perf_counter()
        for step, (batch, targets, samples) in enumerate(loader, start=1):
            if step <= steps_done:
                continue
            optimizer.zero_grad()
            loss = loss_of(distributed(batch.to(device)), targets.to(device))
            loss.backward()  # averages the gradients over all ranks
            optimizer.step()
            loss_value = loss.item()
            now = time.perf_counter()
            seconds, started = now - started, now

            steps += 1
            epoch_seconds += seconds
            epoch_loss += loss_value * len(samples)
            epoch_samples.append(samples)
            write_metrics({"event": "step", "epoch": epoch, "step": steps, "loss": loss_value, "seconds": seconds,
                           "gradientBytes": gradient_bytes})
            if args.log_interval and step % args.log_interval == 0:
                print(f"epoch {epoch}/{args.epochs} step {step}/{len(loader)} loss {loss_value:.4f}", flush=True)
            checkpoints.save(steps, {
                "model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch, "stepsOfEpoch": step,
                "steps": steps, "trainingSeconds": training_seconds, "samplesSeen": samples_seen, "shard": shard,
                "epochLoss": epoch_loss, "epochSeconds": epoch_seconds, "epochSamples": epoch_samples,
            })

        steps_done = 0
        seen = torch.cat(epoch_samples)
        samples_seen += len(seen)
        training_seconds += epoch_seconds
        if shard is None:
            shard = seen
            check_shards(shard, training)

        right = evaluate(model, held_out_images, held_out_labels, args.rank, args.world_size)
        totals = torch.tensor([epoch_loss, len(seen), right], dtype=torch.float64)
        dist.all_reduce(totals)
        mean_loss, accuracy = (totals[0] / totals[1]).item(), totals[2].item() / len(held_out)
        print(f"epoch {epoch}/{args.epochs} loss {mean_loss:.4f} accuracy {accuracy:.3f} {len(loader)} steps "
              f"{epoch_seconds / len(loader):.3f} s/step", flush=True)
        write_metrics({"event": "epoch", "epoch": epoch, "loss": mean_loss, "accuracy": accuracy,
                       "seconds": epoch_seconds})

    return {
        "rank": args.rank,
        "worldSize": args.world_size,
        "backend": backend,
        "epochs": args.epochs,
        "steps": steps,
        "finalLoss": mean_loss,
        "accuracy": accuracy,
        "parametersSha256": check_parameters(model),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "gradientBytesPerStep": gradient_bytes,
        "secondsPerStep": training_seconds / steps,
        "samplesSeen": samples_seen,
        "shardIndices": len(shard),
        "shardSha256": hashlib.sha256(",".join(map(str, sorted(shard.tolist()))).encode()).hexdigest(),
    }


def metrics_writer(path):
    """A function that appends one JSON line to the file, or does nothing where none is asked for."""
    if path is None:
        return lambda metrics: None
    try:
        file = open(path, "w", buffering=1)  # by line, so that a reader can follow
    except OSError as error:
        raise TrainingError(f"cannot write --output {path}: {error.strerror}") from error
    return lambda metrics: file.write(json.dumps(metrics) + "\n")


def first_line(error):
    return (str(error).splitlines() or [type(error).__name__])[0]


def main():
    # The system's own action ends the process at once (exit code 143), also inside PyTorch's C++ code, where a
    # Python handler would have to wait.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    args = parse_arguments()
    torch.set_num_threads(args.threads)
    started = time.monotonic()
    try:
        write_metrics = metrics_writer(args.output)
        result = train(args, write_metrics)
        write_metrics({"event": "result", **result})
        dist.barrier()  # rank 0 holds the rendezvous: it must not leave while another rank still works
        dist.destroy_process_group()
    except TrainingError as error:
        fail(args.rank, str(error))
    except RuntimeError as error:  # what torch.distributed raises when a peer or the network is lost
        fail(args.rank, f"training stopped after {time.monotonic() - started:.1f} s: {first_line(error)}\n"
                        "If this names a connection or a timeout, another rank ended or the network between the nodes "
                        f"was cut for longer than --timeout {args.timeout:g} s: look at the logs of the other ranks first.")
    print(f"RESULT {json.dumps(result)}", flush=True)


def fail(rank, message):
    """Ends the process at once: a normal exit could wait in PyTorch's threads for peers that are gone."""
    sys.stdout.flush()
    print(f"rank {rank}: error: {message}", file=sys.stderr, flush=True)
    os._exit(1)


if __name__ == "__main__":
    main()
