"""How the ranks of a run find each other, on which network interface, and how they check what they have in common."""
from __future__ import annotations

import array
import argparse
import datetime
import fcntl
import hashlib
import os
import socket
import struct
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn

from arguments import TrainingError, first_line
from data import Samples
from model import parameters_sha256

SIOCGIFCONF = 0x8912  # see netdevice(7)


class GroupArguments(argparse.Namespace):
    master_addr: str
    master_port: int
    world_size: int
    rank: int
    backend: str
    timeout: float
    no_cuda: bool


class Group(NamedTuple):
    device: torch.device
    backend: str
    gradients: Any  # the ProcessGroup that averages the gradients; PyTorch 1.13 does not export the type


def add_group_arguments(parser: argparse.ArgumentParser) -> None:
    # torchrun passes these four by the environment.
    parser.add_argument("--master-addr", default=os.environ.get("MASTER_ADDR"), help="address of the node of rank 0")
    parser.add_argument("--master-port", type=int, default=os.environ.get("MASTER_PORT", "29500"))
    parser.add_argument("--world-size", "--world_size", type=int, default=os.environ.get("WORLD_SIZE", "2"), help="number of ranks")
    parser.add_argument("--rank", type=int, default=os.environ.get("RANK"), help="0 to world size - 1")
    parser.add_argument("--backend", choices=["auto", "gloo", "nccl"], default="auto",
                        help="auto: nccl if every rank has a GPU of its own, otherwise gloo")
    parser.add_argument("--timeout", type=float, default=os.environ.get("GROUP_TIMEOUT", "60"), metavar="SECONDS",
                        help="how long to wait for the other ranks, at the start and in every step; "
                             "default: GROUP_TIMEOUT of the environment, else 60")


def check_group_arguments(parser: argparse.ArgumentParser, args: GroupArguments) -> None:
    """Ends the script with exit code 2 unless the flags name a rank and where to meet."""
    if None in (args.master_addr, args.rank):
        parser.error("--master-addr and --rank are needed, for example --master-addr 192.168.1.2 --rank 0")
    if args.world_size < 1:
        parser.error(f"--world-size is {args.world_size}; it must be 1 or more")
    if not 0 <= args.rank < args.world_size:
        parser.error(f"--rank is {args.rank}; with --world-size {args.world_size} it must be 0 to {args.world_size - 1}")
    if not 0 < args.master_port < 65536:
        parser.error(f"--master-port is {args.master_port}; it must be 1 to 65535")


def interface_holding(address: str) -> str:
    """The name of the network interface that holds an IPv4 address."""
    table = array.array("B", bytes(64 * 1024))
    request = struct.pack("@iP", len(table), table.buffer_info()[0])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        length, _ = struct.unpack("@iP", fcntl.ioctl(any_socket, SIOCGIFCONF, request))
    entry_size = 40 if struct.calcsize("P") == 8 else 32
    for start in range(0, length, entry_size):
        entry = table[start:start + entry_size].tobytes()
        if socket.inet_ntoa(entry[20:24]) == address:
            return entry[:16].split(b"\0")[0].decode().split(":")[0]
    raise TrainingError(f"no network interface holds {address}; name the one to use in GLOO_SOCKET_IFNAME")


def is_address_of_this_node(address: str) -> bool:
    """Whether the kernel lets a socket have the IPv4 address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        try:
            any_socket.bind((address, 0))
        except OSError:
            return False
    return True


def choose_interface(args: GroupArguments) -> str:
    """Makes gloo and nccl use the one interface on the route to the master; left alone, they may take another."""
    try:
        master = socket.gethostbyname(args.master_addr)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as route:
            route.connect((master, args.master_port))  # sends nothing: it only looks up the route
            own_address = route.getsockname()[0]
    except OSError as error:
        raise TrainingError(f"--master-addr {args.master_addr} cannot be reached from here: {error.strerror}; "
                            "give the address of the node of rank 0 and check the route to it") from error
    if args.rank == 0 and not is_address_of_this_node(master):
        raise TrainingError(f"--master-addr {args.master_addr} is not an address of this node (which has "
                            f"{own_address}); rank 0 must run on the node that --master-addr names")
    interface = os.environ.get("GLOO_SOCKET_IFNAME") or interface_holding(own_address)
    os.environ["GLOO_SOCKET_IFNAME"] = interface
    os.environ.setdefault("NCCL_SOCKET_IFNAME", interface)
    return interface


def join_group(args: GroupArguments) -> Group:
    """Meets the other ranks.

    They always meet over gloo, which works everywhere; gradients go over nccl where every rank has a GPU of its own.
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
    device = own_gpu(args.rank) if has_cuda else torch.device("cpu")
    ranks_with_cuda = [rank for rank, flag in enumerate(gather(torch.tensor([has_cuda]).byte())) if flag.item()]
    cuda_everywhere = len(ranks_with_cuda) == args.world_size
    if args.backend == "nccl" and not cuda_everywhere:
        raise TrainingError(f"--backend nccl needs CUDA on every rank, and only the ranks {ranks_with_cuda} have it; "
                            "use --backend auto or gloo")
    if args.backend == "gloo" or not cuda_everywhere:
        return Group(device, "gloo", dist.group.WORLD)
    sharing = ranks_that_share_a_gpu(device)
    if sharing and args.backend == "nccl":
        raise TrainingError(f"--backend nccl needs a GPU for each rank, and the ranks {sharing} share one; start fewer, or "
                            "use --backend auto or gloo")
    if sharing:
        return Group(device, "gloo", dist.group.WORLD)
    return Group(device, "nccl", dist.new_group(backend="nccl", timeout=timeout))


def own_gpu(rank: int) -> torch.device:
    """The GPU of this process: of several on a node each has its own, by LOCAL_RANK, which torchrun sets."""
    count = torch.cuda.device_count()
    local_rank = int(os.environ.get("LOCAL_RANK", rank % count))
    if local_rank >= count:
        raise TrainingError(f"LOCAL_RANK is {local_rank}, and this node has {count} GPU{'s' if count > 1 else ''}; start no "
                            "more processes on a node than it has GPUs, or train with --no-cuda")
    device = torch.device("cuda", local_rank)
    torch.cuda.set_device(device)
    return device


def ranks_that_share_a_gpu(device: torch.device) -> list[int]:
    """Those whose GPU is another rank's too: nccl refuses it. PyTorch before 2.4 tells no GPU's UUID: then none."""
    uuid = getattr(torch.cuda.get_device_properties(device), "uuid", None)
    gpus = digests_of_all(hashlib.sha256(os.urandom(32) if uuid is None else str(uuid).encode()).hexdigest())
    return [rank for rank, gpu in enumerate(gpus) if gpus.count(gpu) > 1]


def gather(tensor: Tensor) -> list[Tensor]:
    """The tensors of all ranks, in the order of the ranks; they must have the same shape."""
    everyone = [torch.empty_like(tensor) for _ in range(dist.get_world_size())]
    dist.all_gather(everyone, tensor)
    return everyone


def digests_of_all(own: str) -> list[str]:
    """The SHA-256, in hexadecimal digits, of each rank."""
    return [bytes(other.tolist()).hex() for other in gather(torch.tensor(list(bytes.fromhex(own)), dtype=torch.uint8))]


def check_samples(samples: Samples, source: str) -> None:
    """Fails unless all ranks have the same samples; `source` says where this rank has them from."""
    digest = hashlib.sha256()
    for column in (samples.inputs, samples.targets):
        digest.update(column.contiguous().numpy().tobytes())
    digests = digests_of_all(digest.hexdigest())
    if len(set(digests)) != 1:
        raise TrainingError(f"the ranks have different data, SHA-256 by rank: {digests}; this one has {source}. Give all "
                            "nodes the same, with --data")


def check_shards(seen: Tensor, expected: Tensor, is_whole: bool = True) -> None:
    """Fails unless the samples that the ranks saw are disjoint and, of a whole epoch, together complete."""
    shards = gather(seen)
    together = torch.cat(shards).sort().values
    if len(together.unique()) == len(together) and (not is_whole or torch.equal(together, expected.sort().values)):
        return
    raise TrainingError(f"the shards of the {len(shards)} ranks are not disjoint and complete: they hold "
                        f"{len(together)} samples, {len(together.unique())} of them different; "
                        f"expected are {len(expected)} different ones. Do all ranks have the same --data and --seed?")


def check_parameters(model: nn.Module) -> str:
    """Fails unless all ranks have the same parameters, bit for bit; returns their SHA-256."""
    own = parameters_sha256(model)
    digests = digests_of_all(own)
    if len(set(digests)) != 1:
        raise TrainingError(f"the ranks ended with different parameters, SHA-256 by rank: {digests}")
    return own
