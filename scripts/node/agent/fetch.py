"""Files that a run is made of: brought to the node, or looked at on it, and verified."""
import contextlib
import hashlib
import os
import re
import shutil
import tempfile
import urllib.error
import urllib.parse
import urllib.request

from causes import full_disk
from checks import REQUIRED, AgentError, check

DOWNLOAD_TIMEOUT = 30  # seconds without a byte


class WebOnlyRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, req, fp, code, msg, headers, newurl):
        require_web_address(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def require_web_address(url):
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise AgentError(f"{without_secrets(url)} is not an http or https address; only those are fetched")


def without_secrets(url):
    """The address without user, password and query, any of which may hold a token."""
    parts = urllib.parse.urlsplit(url)
    return urllib.parse.urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def fetch(arguments):
    directory, files = check(arguments, directory=(str, REQUIRED), files=(list, REQUIRED))
    directory = os.path.expanduser(directory)
    os.makedirs(directory, exist_ok=True)
    return {"files": [fetch_one(directory, file) for file in files]}


def fetch_one(directory, file):
    name, sha256, url, path, image, there = check(file, name=(str, REQUIRED), sha256=(str, None), url=(str, None),
                                                  path=(str, None), image=(str, None), there=(str, None))
    if image is not None:
        return look_at(image, sha256)
    if there is not None:
        return look_for(there)
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise AgentError(f"{name!r} is not a file name; it must hold no slash")
    if sha256 is None or not re.fullmatch("[0-9a-f]{64}", sha256):
        raise AgentError(f"the sha256 of {name} is {sha256!r}; it must be 64 hexadecimal digits in lower case")
    target = os.path.join(directory, name)
    if os.path.isfile(target) and sha256_of(target) == sha256:
        return {"name": name, "sha256": sha256, "bytes": os.path.getsize(target), "fetched": False}
    kept = os.path.join(kept_files(), sha256)
    fetched = not os.path.isfile(kept) or sha256_of(kept) != sha256
    if fetched:
        if url is None and path is None:
            raise AgentError(f"{target} is missing or has not the SHA-256 {sha256}, and neither a url nor the path of an "
                             "uploaded file is given")
        install(url, path, kept, sha256, target)
    link(kept, target)
    return {"name": name, "sha256": sha256, "bytes": os.path.getsize(target), "fetched": fetched}


def kept_files():
    """Files by their SHA-256: another run with the same data does not fetch it again."""
    folder = os.path.join(os.path.expanduser("~"), ".crosszone", "files")
    os.makedirs(folder, exist_ok=True)
    return folder


def link(kept, target):
    """Puts a kept file into a run's folder, without a second copy where both are in one file system."""
    temporary = f"{target}.{os.getpid()}"
    try:
        os.link(kept, temporary)
    except OSError:
        shutil.copyfile(kept, temporary)
    os.replace(temporary, target)


def look_for(path):
    """Data that the node has: used as it is."""
    if not os.path.exists(path):
        raise AgentError(f"{path} is not on this node (crosszone:training.data); nothing was started. Bring it there, or let "
                         "the run bring it: {source: upload, path} or {source: url, files}")
    return {"name": os.path.basename(path), "sha256": None, "bytes": None, "fetched": False}


def look_at(path, sha256):
    """A file that the node's image has: it stays where it is, and is verified where its SHA-256 is given."""
    if not os.path.isfile(path):
        raise AgentError(f"{path} is not on this node; take an image that has it (crosszone:zones[].imageId), "
                         "or bring a script (crosszone:training.script)")
    actual = sha256_of(path)
    if sha256 not in (None, actual):
        raise AgentError(f"{path} of this node's image has SHA-256 {actual}, expected is {sha256}; nothing was started. "
                         "Take the image that is meant, or set the sha256 to that of the file you trust")
    return {"name": os.path.basename(path), "sha256": actual, "bytes": os.path.getsize(path), "fetched": False}


def install(url, path, kept, sha256, target):
    """Keeps the file once it is whole and verified; until then `target`, which it is for, stays as it was."""
    source = without_secrets(url) if url is not None else path
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(kept), prefix=".fetch-")
    try:
        with os.fdopen(handle, "wb") as output, open_source(url, path) as content:
            shutil.copyfileobj(content, output)
            output.flush()
            os.fsync(output.fileno())
        actual = sha256_of(temporary)
        if actual != sha256:
            raise AgentError(f"{source} has SHA-256 {actual}, expected is {sha256}; nothing was installed as {target}. "
                             "Check the source, or set the sha256 to that of the file you trust")
        os.chmod(temporary, 0o644)
        os.replace(temporary, kept)
    except (OSError, urllib.error.URLError) as error:
        full = full_disk(os.path.dirname(kept))
        raise AgentError(f"cannot get {source} as {target}: {error if full is None else full}") from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


def open_source(url, path):
    if url is None:
        return open(os.path.expanduser(path), "rb")
    require_web_address(url)
    return urllib.request.build_opener(WebOnlyRedirects).open(url, timeout=DOWNLOAD_TIMEOUT)


def sha256_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()
