#!/bin/sh
# Installs Debian packages; no service that they bring is started. Run as root:
#
#   sh install-packages.sh update            reads what the package servers have
#   sh install-packages.sh install PACKAGE…
#
# apt's progress goes to standard output, a line each as APT::Status-Fd writes it; what it says goes to standard error.
set -eu

what=$1
shift
export DEBIAN_FRONTEND=noninteractive

if [ "$what" = update ]; then
  apt-get -q update >&2
  exit
fi

# Debian asks this file before a package's script starts a service; 101 forbids it.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi
# Goes on where an earlier run was broken off in the middle.
dpkg --configure -a >&2
apt-get -q update >&2
apt-get -q -y -o APT::Status-Fd=3 install --no-install-recommends "$@" 3>&1 >&2
