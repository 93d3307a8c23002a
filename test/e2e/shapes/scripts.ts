/** Scripts of a user's own: one around the guide's, and one that needs no PyTorch, whose import takes longer than all else. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Place } from "../../harness/place.ts";

const names = [
  ...["MASTER_ADDR", "MASTER_PORT", "WORLD_SIZE", "RANK", "LOCAL_RANK", "NODE_RANK"],
  ...["GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"],
];

const trainsAsTheGuide = `import runpy
folder = "/home/ubuntu/test/pytorch"
sys.path.insert(0, folder)
runpy.run_path(folder + "/pytorch_mnist_dist.py", run_name="__main__")
`;

/** Says what it has found, and its last two arguments; then it trains as the guide's script of the image does. */
export const finding = `import os, sys

sys.stdout.write(" ".join(["found", *(os.environ[name] for name in ${JSON.stringify(names)}), *sys.argv[-2:]]) + "\\n")
del sys.argv[-2:]
${trainsAsTheGuide}`;

/**
 * Four ranks that meet where they find to meet. Without checkpoints each writes one, and the last is killed, for which the
 * others fail, as ranks do that lose a peer. With checkpoints each goes on from its own: to the end, and by torchrun with the
 * guide's script.
 */
export const killedOnce = `import json, os, select, signal, socket, sys, time

rank, patience = int(os.environ["RANK"]), 120
by_torchrun = "TORCHELASTIC_RUN_ID" in os.environ
# Torchrun itself has the master's port.
port = 23456 if by_torchrun else int(os.environ["MASTER_PORT"])


def say(line):
    """In one piece: the ranks of a node share their output."""
    sys.stdout.write(line + "\\n")


def meet(address):
    """The sockets to all others at rank 0, and to rank 0 at the others."""
    if rank == 0:
        with socket.create_server(address) as server:
            others = [server.accept()[0] for _ in range(3)]
        for other in others:
            other.sendall(b"!")
        return others
    deadline = time.monotonic() + patience
    while True:
        try:
            first = socket.create_connection(address, patience)
            break
        except OSError as error:
            if time.monotonic() > deadline:
                sys.exit(f"rank 0 does not listen within {patience} s: {error}")
            time.sleep(0.1)
    if first.recv(1) != b"!":
        sys.exit("rank 0 is gone")
    return [first]


checkpoint = os.path.join(os.environ["CHECKPOINT_DIR"], f"rank-{rank}")
goes_on = os.path.exists(checkpoint)
if not goes_on:
    os.makedirs(os.path.dirname(checkpoint), exist_ok=True)
    with open(checkpoint, "w") as file:
        file.write(os.environ["CHECKPOINT_EVERY"])
say(f"rank {rank}: meets the others")
peers = meet((os.environ["MASTER_ADDR"], port))
if goes_on:
    with open(checkpoint) as file:
        steps = int(file.read())
    say(f"rank {rank}: goes on after step {steps}")
    if by_torchrun:
        del os.environ["CHECKPOINT_DIR"]
        ${trainsAsTheGuide.replaceAll("\n", "\n        ").trimEnd()}
    say("RESULT " + json.dumps({"rank": rank, "samplesSeen": 100 * steps + rank}))
elif rank == 3:
    os.kill(os.getpid(), signal.SIGKILL)
else:
    lost, _, _ = select.select(peers, [], [], patience)
    sys.exit(f"rank {rank}: {'a peer is gone' if lost else 'rank 3 was not killed'}")
`;

/** @returns its path on this machine */
export function ownScript(place: Place, name: string, source: string): string {
  const path = join(place.directory, name);
  writeFileSync(path, source);
  return path;
}
