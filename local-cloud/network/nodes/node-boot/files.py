"""Files of a node, and its users."""

import os

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
USER_ID = 1000
# Home folders and their owners.
HOMES = (("/root", 0), ("/home/ubuntu", USER_ID))


def write(path, text, mode=0o644, owner=0):
    """Replaces a file, whatever stands at its path."""
    if os.path.islink(path):
        os.unlink(path)
    content = text if isinstance(text, bytes) else text.encode()
    with open(path, "wb") as file:
        file.write(content)
    os.chmod(path, mode)
    os.chown(path, owner, owner)
