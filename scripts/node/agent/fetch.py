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

from checks import REQUIRED, AgentError, check

DOWNLOAD_TIMEOUT = 30  # seconds without a byte


class WebOnlyRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, request, response, code, message, headers, url):
        require_web_address(url)
        return super().redirect_request(request, response, code, message, headers, url)


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
    name, sha256, url, path, image = check(file, name=(str, REQUIRED), sha256=(str, None),
                                           url=(str, None), path=(str, None), image=(str, None))
    if image is not None:
        return look_at(image, sha256)
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise AgentError(f"{name!r} is not a file name; it must hold no slash")
    if sha256 is None or not re.fullmatch("[0-9a-f]{64}", sha256):
        raise AgentError(f"the sha256 of {name} is {sha256!r}; it must be 64 hexadecimal digits in lower case")
    target = os.path.join(directory, name)
    present = sha256_of(target) if os.path.isfile(target) else None
    fetched = present != sha256
    if fetched:
        if url is None and path is None:
            raise AgentError(f"{target} {'is missing' if present is None else f'has SHA-256 {present}, not {sha256}'}, "
                             "and neither a url nor the path of an uploaded file is given")
        install(url, path, target, sha256)
    return {"name": name, "sha256": sha256, "bytes": os.path.getsize(target), "fetched": fetched}


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


def install(url, path, target, sha256):
    """Puts the file into place only once it is whole and verified; until then `target` stays as it was."""
    source = without_secrets(url) if url is not None else path
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(target), prefix=".fetch-")
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
        os.replace(temporary, target)
    except (OSError, urllib.error.URLError) as error:
        raise AgentError(f"cannot get {source} as {target}: {error}") from error
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
