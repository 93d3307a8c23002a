"""User data, which comes onto a new disk once, and the files with metadata beside it."""

import base64
import io
import json
import os
import shlex
import stat
import sys
import tarfile
import zipfile

from files import write

RC_LOCAL = "/etc/rc.local"


def bring(userdata):
    """Puts user data onto a new disk."""
    if not userdata:
        return
    if userdata["text"] is not None:
        os.makedirs(userdata["folder"], exist_ok=True)
        write(os.path.join(userdata["folder"], "userdata.string"), base64.b64decode(userdata["text"]), 0o600)
    if userdata["script"]:
        file = userdata["script"]["file"]
        os.makedirs(os.path.dirname(file), exist_ok=True)
        write(file, base64.b64decode(userdata["script"]["content"]), 0o755)
    if userdata["archive"]:
        try:
            unpack(base64.b64decode(userdata["archive"]))
        except (OSError, ValueError, EOFError, tarfile.TarError, zipfile.BadZipFile) as error:
            complain(f"the archive of the user data could not be unpacked whole: {error}")
        if os.path.isfile(RC_LOCAL):
            os.chmod(RC_LOCAL, 0o755)


def complain(message):
    """Where the node's owner will look, and on its console."""
    print(message, file=sys.stderr)
    with open("/var/log/userdata.log", "a") as file:
        print(message, file=file)


def unpack(content):
    if content.startswith(b"PK"):
        unpack_zip(content)
        return
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        # What is there keeps its owner and mode: an archive of ./ would change those of / itself.
        members = [member for member in archive if not os.path.isdir("/" + member.name)]
        archive.extractall("/", members)


def unpack_zip(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for member in archive.infolist():
            mode = member.external_attr >> 16
            path = os.path.join("/", os.path.normpath("/" + member.filename).lstrip("/"))
            if member.is_dir():
                os.makedirs(path, exist_ok=True)
                continue
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if stat.S_ISLNK(mode):
                os.symlink(archive.read(member), path.encode())
            else:
                write(path, archive.read(member), stat.S_IMODE(mode) or 0o644)


def tell(spec):
    """Writes the metadata, at every boot, for nodes with user data."""
    if not spec["userdata"]:
        return
    metadata, folder = spec["metadata"], spec["userdata"]["folder"]
    os.makedirs(folder, exist_ok=True)
    write(os.path.join(folder, "metadata.json"), json.dumps(metadata, indent=2) + "\n")
    lines = [f"{name}={shlex.quote(str(value))}\n" for name, value in flat(metadata)]
    write(os.path.join(folder, "metadata.env"), "".join(lines))


def flat(metadata):
    """Names for the shell: a list's items are vxnets_0_vxnet_id and so on."""
    for name, value in metadata.items():
        if not isinstance(value, list):
            yield name, value
            continue
        for number, item in enumerate(value):
            for field in sorted(item):
                yield f"{name}_{number}_{field}", item[field]


def start_scripts(userdata):
    """What runs at every boot, besides what the owner starts from there."""
    script = userdata and userdata["script"] and userdata["script"]["file"]
    return [RC_LOCAL] if script in (None, RC_LOCAL) else [RC_LOCAL, script]
