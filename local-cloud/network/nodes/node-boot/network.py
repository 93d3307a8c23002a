"""The node's network: a DHCP client for each interface whose vxnet has DHCP."""

from files import write

# dhcp start DEVICE METRIC | dhcp stop DEVICE: comes back with a lease, or when none came within three seconds; the
# client goes on asking then.
CLIENT = """\
#!/bin/sh
pid=/run/node/udhcpc-$2.pid
if [ -s "$pid" ]; then
  while [ -s "$pid" ] && kill "$(cat "$pid")"; do sleep 0.01; done 2>/dev/null
  rm -f "$pid"
fi
export METRIC="$3" interface="$2"
case $1 in
  start) busybox udhcpc -i "$2" -s /run/node/lease -p "$pid" -b -t 3 -T 1 -A 2 >>/var/log/dhcp.log 2>&1 || : ;;
  stop) /run/node/lease deconfig ;;
esac
"""

# What the client calls when a lease begins, goes on, changes or ends. What is as it was is left alone: the node's owner
# may have changed it by hand.
LEASE = """\
#!/bin/sh
known=/run/node/lease-$interface
before=
[ ! -s "$known" ] || IFS= read -r before <"$known"
case $1 in
  deconfig) now= ;;
  bound | renew) now="$ip/$mask $router $dns $domain" ;;
  *) exit 0 ;;
esac
[ "$now" != "$before" ] || exit 0
address=${before%% *}
if [ -n "$address" ]; then
  [ "$address" = "$ip/$mask" ] || ip address del "$address" dev "$interface"
  while ip rule del from "${address%/*}" 2>/dev/null; do :; done
  rm -f /run/node/resolver-*-"$interface"
fi
if [ -n "$now" ]; then
  gateway=${router%% *}
  {
    echo "address replace $ip/$mask broadcast + dev $interface"
    [ -z "$gateway" ] || echo "route replace default via $gateway dev $interface metric $METRIC"
    # What comes to the base network's interface is answered there, also where another one has the default route.
    if [ -n "$gateway" ] && [ "$METRIC" -ge BASE_METRIC ]; then
      echo "route replace default via $gateway dev $interface table $METRIC"
      echo "rule add pref $((1000 + METRIC)) from $ip lookup main suppress_prefixlength 0"
      echo "rule add pref $((2000 + METRIC)) from $ip lookup $METRIC"
    fi
  } | ip -force -batch -
  {
    for server in $dns; do echo "nameserver $server"; done
    [ -z "$domain" ] || echo "search $domain"
  } >"/run/node/resolver-$METRIC-$interface"
fi
echo "$now" >"$known"
{ cat /run/node/resolver-* 2>/dev/null; echo options timeout:1 attempts:2; } >/etc/resolv.conf
exit 0
"""


# Metrics from here on are those of interfaces in the base network.
BASE_METRIC = 500


def configure_network(orders):
    """Makes the client's programs, and the script that starts one for each order and waits for all."""
    write("/run/node/dhcp", CLIENT, 0o755)
    write("/run/node/lease", LEASE.replace("BASE_METRIC", str(BASE_METRIC)), 0o755)
    calls = "".join(f"/run/node/dhcp {' '.join(order)} &\n" for order in orders)
    write("/run/node/network", f"#!/bin/sh\n{calls}wait\n", 0o755)
    # Without a name server in it, a lookup would ask the node itself.
    write("/etc/resolv.conf", "options timeout:1 attempts:1\n")
