/** The script that makes an instance a node of this stack: run as root at every boot, so it changes only what differs. */

export interface UserData {
  /** The node's host key, in OpenSSH's form. */
  readonly hostPrivateKey: string;
  readonly gateway: string;
  /** Networks that are reached through tunnels. */
  readonly routes: readonly string[];
}

/** What passes through either kind of tunnel: another kind is no reason for another node. Launchers set what was found. */
const bootMtu = 1400;

/**
 * The route MTU keeps every packet small enough for the tunnel: a router cannot be told to clamp TCP's segment size.
 * Host keys of other types go, so that every SSH client negotiates the one that is pinned.
 */
export function userDataScript({ hostPrivateKey, gateway, routes }: UserData): string {
  return `#!/bin/sh
key=/etc/ssh/ssh_host_ed25519_key
umask 077
cat > $key.new <<'KEY'
${hostPrivateKey.trim()}
KEY
if ! cmp -s $key.new $key; then
  mv $key.new $key
  ssh-keygen -y -f $key > $key.pub
  chmod 644 $key.pub
  rm -f /etc/ssh/ssh_host_rsa_key* /etc/ssh/ssh_host_ecdsa_key* /etc/ssh/ssh_host_dsa_key*
  systemctl restart ssh 2>/dev/null || systemctl restart sshd 2>/dev/null || kill -HUP "$(cat /run/sshd.pid)"
fi
rm -f $key.new
${routes.map((network) => `ip route replace ${network} via ${gateway} mtu ${bootMtu}\n`).join("")}`;
}
