#!/bin/sh
# Turns a stock Ubuntu or Debian GPU host into one that trains: python3, the NVIDIA driver, CUDA, PyTorch and, where
# asked, Docker with NVIDIA's runtime. Run as root; what is there already is left alone, so it can be run again.
#
#   sudo sh prepare-gpu.sh [--driver VERSION|none] [--driver-from FILE] [--cuda VERSION|none] [--cuda-from FILE]
#                          [--torch cpu|cu113|cu117|cu118|cu121|none] [--torch-from PATH] [--docker] [--sudo-for USER]
#                          [--dry-run [--root FOLDER]]
#
#   --driver       default 515.65.01; none = a node without a GPU
#   --driver-from  NVIDIA's installer, a file of this node, in place of a download
#   --cuda         toolkit with nvcc, default 11.3.0; PyTorch brings what it needs itself, so `none` still trains
#   --cuda-from    its installer, a file of this node
#   --torch        PyTorch for this CUDA, default cu113, or whatever --torch-from brings
#   --torch-from   a wheel, or a folder of wheels with all that they need, in place of a download
#   --docker       Docker too, with NVIDIA's runtime unless --driver none
#   --sudo-for     this user may become root without a password
#   --dry-run      says what would be done, and does nothing; --root looks at another root file system
#
# Exit codes: 0 done; 1 a step failed; 2 wrong arguments; 3 this node can not be prepared; 4 a download failed;
# 10 done so far, reboot the node and run the same command again.
#
# Steps and versions: QingCloud's guide "configure GPU instances (Linux)". Never run on a GPU for want of one: installing
# and loading the driver, the CUDA installer, NVIDIA's repository for Docker, and the last look with nvidia-smi.
# Run on nodes without a GPU: detection, messages, python3 and PyTorch from wheels, running it again.
set -eu

driver=515.65.01 driver_from='' cuda=11.3.0 cuda_from='' torch='' torch_from='' docker=no sudo_for='' dry=no root=''
reboot=no

say() { printf '%s\n' "$*"; }
fail() { # code, message
  code=$1
  shift
  printf 'prepare-gpu: %s\n' "$*" >&2
  exit "$code"
}
there() { say "there: $*"; }
run() {
  run_or 1 "\`$*\` failed, see above. What is done stays done: mend it and run the same command again" "$@"
}
run_or() { # code, message, command
  failure=$1 reason=$2
  shift 2
  if [ "$dry" = yes ]; then
    say "would: $*"
    return
  fi
  say "run: $*"
  "$@" || fail "$failure" "$reason"
}
has() { [ -z "$root" ] && command -v "$1" >/dev/null 2>&1; }

parse() {
  while [ $# -gt 0 ]; do
    case $1 in
    --driver | --driver-from | --cuda | --cuda-from | --torch | --torch-from | --sudo-for | --root)
      [ $# -ge 2 ] || fail 2 "$1 needs a value; see the head of this file"
      case $1 in
      --driver) driver=$2 ;;
      --driver-from) driver_from=$2 ;;
      --cuda) cuda=$2 ;;
      --cuda-from) cuda_from=$2 ;;
      --torch) torch=$2 ;;
      --torch-from) torch_from=$2 ;;
      --sudo-for) sudo_for=$2 ;;
      --root) root=${2%/} ;;
      esac
      shift 2
      ;;
    --docker) docker=yes && shift ;;
    --dry-run) dry=yes && shift ;;
    *) fail 2 "$1 is no option; allowed are --driver, --driver-from, --cuda, --cuda-from, --torch, --torch-from, --docker, --sudo-for, --dry-run and --root" ;;
    esac
  done
}

# Sets torch_version, torch_cuda (empty = any) and newest_python, the newest 3.x that has a wheel.
choose_torch() {
  torch_cuda=''
  [ -n "$torch" ] || [ -n "$torch_from" ] || torch=cu113
  case $torch in
  '') return ;;
  none) return ;;
  cpu) torch_version=2.4.1 newest_python=12 ;;
  cu113) torch_version=1.12.1 torch_cuda=11.3 newest_python=10 ;;
  cu117) torch_version=1.13.1 torch_cuda=11.7 newest_python=11 ;;
  cu118) torch_version=2.4.1 torch_cuda=11.8 newest_python=12 ;;
  cu121) torch_version=2.4.1 torch_cuda=12.1 newest_python=12 ;;
  *) fail 2 "--torch must be cpu, cu113, cu117, cu118, cu121 or none (given: $torch)" ;;
  esac
}

check_arguments() {
  [ -z "$root" ] || [ "$dry" = yes ] || fail 2 "--root goes with --dry-run alone (given: $root)"
  case $driver in
  none | [0-9]*.[0-9]*) ;;
  *) fail 2 "--driver must be a version, e.g. 515.65.01, or none (given: $driver)" ;;
  esac
  case $cuda in
  none | 11.3.0 | 11.7.1 | 11.8.0 | 12.1.1) ;;
  *) [ -n "$cuda_from" ] || fail 2 "--cuda must be 11.3.0, 11.7.1, 11.8.0, 12.1.1 or none, or --cuda-from must name the installer (given: $cuda)" ;;
  esac
  choose_torch
  for file in "$driver_from" "$cuda_from" "$torch_from"; do
    [ -z "$file" ] || [ -e "$file" ] || fail 2 "there is no $file on this node"
  done
  case $torch:$driver in
  cu12*:none) ;;
  cu12*:*) [ "${driver%%.*}" -ge 525 ] || fail 2 "--torch $torch needs --driver 525.60.13 or newer (given: $driver)" ;;
  esac
  if [ -n "$sudo_for" ] && ! grep -q "^$sudo_for:" "$root/etc/passwd"; then
    fail 2 "--sudo-for must be a user of this node (given: $sudo_for)"
  fi
}

check_node() {
  system=$(sed -n 's/^ID=//p' "$root/etc/os-release" 2>/dev/null | tr -d '"')
  case $system in
  ubuntu | debian) ;;
  *) fail 3 "this is ${system:-no known system}; prepared are Ubuntu and Debian. Choose another image" ;;
  esac
  [ "$dry" = yes ] || [ "$(id -u)" = 0 ] || fail 3 "only root can do this: run it by sudo, or give --dry-run to see what it would do"
  [ "$driver" != none ] || return 0
  for device in "$root"/sys/bus/pci/devices/*; do
    case $(cat "$device/vendor" "$device/class" 2>/dev/null | tr '\n' ' ') in
    '0x10de 0x03'*) return 0 ;;
    esac
  done
  fail 3 "there is no GPU of NVIDIA on the PCI bus: choose a shape with GPUs, or give --driver none for a node without one"
}

is_installed() {
  # shellcheck disable=SC2016 # dpkg-query's own placeholder
  [ "$(dpkg-query --admindir="$root/var/lib/dpkg" -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

packages() {
  missing=''
  for package; do is_installed "$package" || missing="$missing $package"; done
  if [ -z "$missing" ]; then
    there "packages $*"
    return
  fi
  way="the packages$missing can not be fetched: this node needs a way to the internet, or to a mirror in /etc/apt/sources.list"
  run_or 4 "$way" apt-get update -q
  # shellcheck disable=SC2086 # names of packages
  run_or 4 "$way" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing
}

download() { # URL, file, option that takes the file instead
  run_or 4 "$1 can not be fetched: this node needs a way to the internet. Or bring the file by other means, and give $3" \
    curl -fSL --retry 3 --connect-timeout 20 -o "$2.part" "$1"
  run mv "$2.part" "$2"
}

write() { # file, content
  if [ "$(cat "$root$1" 2>/dev/null)" = "$2" ]; then
    there "$1"
  elif [ "$dry" = yes ]; then
    say "would: write $1"
    written=yes
  else
    say "run: write $1"
    printf '%s\n' "$2" >"$1"
    written=yes
  fi
}

forbid_nouveau() {
  written=no
  write /etc/modprobe.d/blacklist-nouveau.conf 'blacklist nouveau
options nouveau modeset=0'
  [ "$written" = no ] || ! has update-initramfs || run update-initramfs -u
  [ -e "$root/sys/module/nouveau" ] || return 0
  say "nouveau is loaded: it goes with a reboot, the driver comes after it"
  reboot=yes
}

install_driver() {
  loaded=$(sed -n 's/.*Kernel Module.*[[:space:]]\([0-9][0-9]*\.[0-9.]*\)[[:space:]].*/\1/p' "$root/proc/driver/nvidia/version" 2>/dev/null || true)
  if [ -n "$loaded" ]; then
    there "driver $loaded"
    [ "$loaded" = "$driver" ] || say "it is not $driver, and stays: to change it, remove it first (apt-get remove 'nvidia-*', or nvidia-uninstall)"
    return
  fi
  forbid_nouveau
  packages gcc g++ make "linux-headers-$(uname -r)"
  [ "$reboot" = no ] || return 0
  file=${driver_from:-/var/tmp/NVIDIA-Linux-x86_64-$driver.run}
  [ -e "$file" ] || download "https://us.download.nvidia.com/tesla/$driver/NVIDIA-Linux-x86_64-$driver.run" "$file" --driver-from
  run sh "$file" --silent
  [ "$dry" = yes ] || modprobe nvidia || reboot=yes
}

install_cuda() {
  short=${cuda%.*}
  if [ -e "$root/usr/local/cuda-$short/bin/nvcc" ]; then
    there "CUDA $short"
  else
    case $cuda in
    11.3.0) with=465.19.01 ;;
    11.7.1) with=515.65.01 ;;
    11.8.0) with=520.61.05 ;;
    12.1.1) with=530.30.02 ;;
    *) with='' ;;
    esac
    file=${cuda_from:-/var/tmp/cuda_${cuda}_${with}_linux.run}
    [ -e "$file" ] || download "https://developer.download.nvidia.com/compute/cuda/$cuda/local_installers/cuda_${cuda}_${with}_linux.run" "$file" --cuda-from
    # Its installer knows compilers of its time alone.
    run sh "$file" --silent --toolkit --override
  fi
  # shellcheck disable=SC2016 # expanded at login
  write /etc/profile.d/cuda.sh 'export PATH="$PATH:/usr/local/cuda/bin"
export LD_LIBRARY_PATH="${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}/usr/local/cuda/lib64"'
}

# Version and CUDA of the PyTorch that python3 finds, e.g. `1.12.1+cu113 11.3`, `1.13.1 cpu`; nothing where there is none.
present_torch() {
  has /usr/bin/python3 || return 0
  (cd / && /usr/bin/python3 -c '
import importlib.util, os, re
found = importlib.util.find_spec("torch")
if found and found.origin:
    text = open(os.path.join(os.path.dirname(found.origin), "version.py")).read()
    value = lambda name: re.search("^" + name + r"\b[^=\n]*= *[\"\x27]([^\"\x27]+)", text, re.M)
    cuda = value("cuda")
    print(value("__version__").group(1), cuda.group(1) if cuda else "cpu")
' 2>/dev/null) || true
}

pip() { # code, message, arguments
  failure=$1 reason=$2
  shift 2
  run_or "$failure" "$reason" env PIP_BREAK_SYSTEM_PACKAGES=1 PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1 \
    /usr/bin/python3 -m pip install --no-input "$@"
}

install_torch() {
  present=$(present_torch)
  if [ -n "$present" ] && [ "${torch_cuda:-${present#* }}" = "${present#* }" ]; then
    there "PyTorch ${present% *} (${present#* })"
    return
  fi
  if [ -f "$torch_from" ]; then
    pip 1 "$torch_from can not be installed: it is for another python3, or what it needs does not lie beside it" \
      --no-index --find-links "$(dirname "$torch_from")" "$torch_from"
  elif [ -n "$torch_from" ]; then
    pip 1 "$torch_from has no PyTorch for this python3, or not all that it needs" \
      --no-index --find-links "$torch_from" torch
  else
    minor=0
    ! has /usr/bin/python3 || minor=$(/usr/bin/python3 -c 'import sys; print(sys.version_info[1])')
    [ "$minor" -le "$newest_python" ] ||
      fail 3 "PyTorch $torch_version for $torch has no wheel for Python 3.$minor, 3.$newest_python is the newest: take another --torch, or an image with an older python3"
    pip 4 "PyTorch can not be fetched: this node needs a way to the internet. Or bring the wheels by other means, and give --torch-from" \
      --retries 1 --timeout 20 --extra-index-url "https://download.pytorch.org/whl/$torch" "torch==$torch_version+$torch" 'numpy<2'
  fi
}

install_docker() {
  if has docker; then there docker; else packages docker.io; fi
  [ "$driver" != none ] || return 0
  if has nvidia-container-cli; then
    there "NVIDIA's container runtime"
    return
  fi
  site=https://nvidia.github.io/libnvidia-container
  key=/usr/share/keyrings/nvidia-container-toolkit.asc
  [ -e "$root$key" ] || download "$site/gpgkey" "$key" "it as $key"
  # shellcheck disable=SC2016 # apt's own variable
  write /etc/apt/sources.list.d/nvidia-container-toolkit.list "deb [signed-by=$key] $site/stable/deb/"'$(ARCH) /'
  packages nvidia-container-toolkit
  run nvidia-ctk runtime configure --runtime=docker
  run systemctl restart docker
}

allow_sudo() {
  written=no
  write "/etc/sudoers.d/90-prepare-$sudo_for" "$sudo_for ALL=(ALL) NOPASSWD:ALL"
  [ "$written" = yes ] || return 0
  run chmod 440 "/etc/sudoers.d/90-prepare-$sudo_for"
  run visudo -cq
}

check_result() {
  [ "$torch" = none ] || [ -n "$(present_torch)" ] ||
    fail 1 "python3 finds no PyTorch although it was installed: see pip's output above"
  [ "$driver" != none ] || return 0
  nvidia-smi -L || fail 1 "the driver is installed, but nvidia-smi lists no GPU: see dmesg"
  [ -z "$torch_cuda" ] || /usr/bin/python3 -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' ||
    fail 1 "nvidia-smi lists the GPU, but PyTorch finds no CUDA device: driver $driver may be too old for --torch $torch"
}

parse "$@"
check_arguments
check_node
packages python3 python3-pip sudo curl ca-certificates
# The guide's commands say python.
if has python; then there python; else run ln -sf /usr/bin/python3 /usr/local/bin/python; fi
[ "$driver" = none ] || install_driver
[ "$cuda" = none ] || install_cuda
[ "$torch" = none ] || install_torch
[ "$docker" = no ] || install_docker
[ -z "$sudo_for" ] || allow_sudo
if [ "$reboot" = yes ]; then
  [ "$dry" = yes ] && say "would: ask for a reboot" && exit 0
  say "Reboot this node, then run the same command again."
  exit 10
fi
[ "$dry" = yes ] || check_result
say "done"
