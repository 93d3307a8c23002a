"""What a node has, as one JSON object: the source is sent to `python3 -`, followed by a call of main() or identity().

Nothing is imported that is slow: the versions of torch and its CUDA are read, not asked, since importing it takes
seconds.
"""
import glob
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess

NVIDIA_VENDOR = "0x10de"
DISPLAY_CLASS = "0x03"  # of PCI: VGA and 3D controllers


def torch_versions():
    """Versions of PyTorch and of the CUDA that it was built for; each None where there is none."""
    found = importlib.util.find_spec("torch")
    if found is None or found.origin is None:
        return None, None
    try:
        with open(os.path.join(os.path.dirname(found.origin), "version.py")) as file:
            source = file.read()
    except OSError:
        return "unknown", None
    version = re.search(r"^__version__\s*(?::[^=]*)?=\s*['\"]([^'\"]+)", source, re.MULTILINE)
    cuda = re.search(r"^cuda\s*(?::[^=]*)?=\s*['\"]([^'\"]+)", source, re.MULTILINE)
    return version.group(1) if version else "unknown", cuda.group(1) if cuda else None


def content(path):
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return ""


def gpu_devices():
    """GPUs of NVIDIA on the PCI bus, with or without a driver."""
    return sum(content(os.path.join(device, "vendor")) == NVIDIA_VENDOR
               and content(os.path.join(device, "class")).startswith(DISPLAY_CLASS)
               for device in glob.glob("/sys/bus/pci/devices/*"))


def driver_version():
    """Of the kernel module that is loaded; its tools may be installed without it."""
    found = re.search(r"Kernel Module.*?\s(\d+(?:\.\d+)+)", content("/proc/driver/nvidia/version"))
    return found.group(1) if found else None


def gpus():
    if shutil.which("nvidia-smi") is None:
        return 0
    listed = subprocess.run(["nvidia-smi", "-L"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, universal_newlines=True)
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines())


def has_python_command():
    """Whether `python` is Python 3: a stock Ubuntu has `python3` alone."""
    if shutil.which("python") is None:
        return False
    asked = subprocess.run(["python", "-c", "import sys; sys.exit(sys.version_info[0] != 3)"],
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return asked.returncode == 0


def has_sudo():
    if os.geteuid() == 0:
        return True
    if shutil.which("sudo") is None:
        return False
    return subprocess.run(["sudo", "-n", "true"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL).returncode == 0


def marker(directory):
    return os.path.join(os.path.expanduser(directory), ".installation")


def installation(directory):
    """A name for what is on the node's disk: another one once that was replaced, or its system was installed again."""
    path = marker(directory)
    if content(path) == "":
        with open(f"{path}.new", "w") as file:
            file.write(os.urandom(8).hex())
        os.replace(f"{path}.new", path)
    return content(path)


def boot():
    """A name for the node's last start: the kernel's, and when its first process began, as containers share a kernel."""
    begun = content("/proc/1/stat").rpartition(")")[2].split()
    return "-".join([content("/proc/sys/kernel/random/boot_id"), *begun[19:20]])


def identity(directory):
    """Only looks: a node whose system was installed again has no name of its disk."""
    print(json.dumps({"installation": content(marker(directory)) or None, "boot": boot()}))


def main(directory):
    os.makedirs(os.path.expanduser(directory), mode=0o700, exist_ok=True)
    torch, cuda = torch_versions()
    docker = shutil.which("docker") is not None
    nvidia_runtime = any(shutil.which(name) for name in ("nvidia-container-runtime", "nvidia-container-cli"))
    print(json.dumps({"python": platform.python_version(), "pythonCommand": has_python_command(), "torch": torch,
                      "cuda": cuda, "gpuDevices": gpu_devices(), "driver": driver_version(), "gpus": gpus(), "sudo": has_sudo(), "docker": docker,
                      "nvidiaRuntime": docker and nvidia_runtime,
                      "installation": installation(directory), "boot": boot()}))
