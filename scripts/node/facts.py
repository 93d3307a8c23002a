"""What a node has, as one JSON object: the source is sent to `python3 -`, followed by a call of main().

Nothing is imported that is slow: the version of torch is read, not asked, since importing it takes seconds.
"""
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess


def torch_version():
    found = importlib.util.find_spec("torch")
    if found is None or found.origin is None:
        return None
    try:
        with open(os.path.join(os.path.dirname(found.origin), "version.py")) as file:
            return re.search(r"__version__ = '([^']+)'", file.read()).group(1)
    except (OSError, AttributeError):
        return "unknown"


def gpus():
    if shutil.which("nvidia-smi") is None:
        return 0
    listed = subprocess.run(["nvidia-smi", "-L"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines())


def has_sudo():
    if os.geteuid() == 0:
        return True
    if shutil.which("sudo") is None:
        return False
    return subprocess.run(["sudo", "-n", "true"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def main(directory):
    os.makedirs(os.path.expanduser(directory), mode=0o700, exist_ok=True)
    print(json.dumps({"python": platform.python_version(), "torch": torch_version(), "gpus": gpus(), "sudo": has_sudo(),
                      "docker": shutil.which("docker") is not None}))
