#!/usr/bin/python3 -I
"""The part of Docker's command line that runs one command in the deep learning image, over crun.

    docker run [--rm] [--init] [--net host] [--name NAME] [-w FOLDER] [-e NAME[=VALUE]]... [-v FROM:TO[:ro]]... IMAGE [COMMAND [ARGUMENT]...]
    docker images
    docker kill NAME
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys

BUNDLE = "/opt/deeplearning"
IMAGE = "qingcloud/deeplearning"
CRUN = ["/usr/bin/crun", "--root=/run/crun", "--cgroup-manager=disabled"]
#: Docker's own exit code for what it refuses.
REFUSED = 125
#: Seconds between a signal to end and the end.
GRACE = 3


def refuse(reason):
    print(f"docker: {reason}", file=sys.stderr)
    sys.exit(REFUSED)


class Parser(argparse.ArgumentParser):
    def error(self, message):
        refuse(f"{message}; of Docker this node has:\n{__doc__.rstrip()}")


def parse_run(words):
    parser = Parser(prog="docker run", add_help=False, allow_abbrev=False)
    parser.add_argument("--rm", action="store_true")
    parser.add_argument("--init", action="store_true")
    parser.add_argument("--net", "--network", choices=["host"], default="host")
    parser.add_argument("--name", default=f"deeplearning-{os.getpid()}")
    parser.add_argument("-w", "--workdir", default="/root")
    parser.add_argument("-e", "--env", action="append", default=[])
    parser.add_argument("-v", "--volume", action="append", default=[])
    parser.add_argument("image")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    args = parser.parse_args(words)
    if args.image.removesuffix(":latest") != IMAGE:
        refuse(f"image {args.image} is not on this node, which reaches no registry; it has {IMAGE}")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", args.name):
        refuse(f"--name {args.name}: must be letters, digits, '_', '.' and '-'")
    return args


def bind(volume):
    source, target, *options = volume.split(":")
    if not target.startswith("/") or not os.path.isabs(source) or options not in ([], ["ro"], ["rw"]):
        refuse(f"--volume {volume}: must be FROM:TO or FROM:TO:ro with absolute paths")
    os.makedirs(source, exist_ok=True)
    return {"source": source, "destination": target, "type": "none", "options": ["rbind", *(options or ["rw"])]}


def configure(args):
    with open(os.path.join(BUNDLE, "config.json")) as file:
        config = json.load(file)
    process = config["process"]
    command = args.command or ["bash"]
    process["args"] = ["/usr/bin/tini", "--", *command] if args.init else command
    process["cwd"] = args.workdir
    named = (each if "=" in each else f"{each}={os.environ.get(each, '')}" for each in args.env)
    process["env"] += named
    config["mounts"] += map(bind, args.volume)
    return config


def run(words):
    args = parse_run(words)
    # crun takes the file by its name, and reads it before it starts anything.
    file = f"/run/docker-{args.name}.json"
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        refuse(f"--name {args.name}: a container of that name runs")
    try:
        with open(descriptor, "w") as opened:
            json.dump(configure(args), opened)
        return supervise(args.name, [*CRUN, "run", f"--config={file}", f"--bundle={BUNDLE}", args.name])
    finally:
        os.unlink(file)


def supervise(name, command):
    """Ends the container when it is told to end itself: what it gets the container gets too."""
    signals = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    container = subprocess.Popen(command, start_new_session=True)

    def forward(number, _frame):
        subprocess.run([*CRUN, "kill", name, str(number)], stderr=subprocess.DEVNULL, check=False)
        signal.alarm(GRACE)

    for number in signals:
        signal.signal(number, forward)
    signal.signal(signal.SIGALRM, lambda *_: subprocess.run([*CRUN, "kill", name, "9"], check=False))
    return container.wait()


def main():
    if os.geteuid() != 0:
        # Docker's group is as good as root; of sudo the variables that -e names would not come through.
        os.execv("/usr/bin/sudo", ["sudo", "-n", "-E", "--", *sys.argv])
    match sys.argv[1:]:
        case ["run", *words]:
            sys.exit(run(words))
        case ["images"]:
            print(f"REPOSITORY{' ' * 15}TAG\n{IMAGE:<25}latest")
        case ["kill", name]:
            sys.exit(subprocess.run([*CRUN, "kill", name, "9"], check=False).returncode)
        case _:
            Parser(prog="docker").error(f"{' '.join(sys.argv[1:]) or 'no command'}: is not known")


main()
