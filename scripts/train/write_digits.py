#!/usr/bin/env python3
"""Writes scikit-learn's 1,797 handwritten digits as the .npz file that pytorch_mnist_dist.py trains on.

The file holds `images` (uint8, 1797 x 8 x 8, values 0 to 16) and `labels` (uint8, 1797).
It is the same byte for byte on every run and machine, so that its SHA-256 can be pinned.
"""
from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import sys
import tempfile
import zipfile
from typing import Any, Mapping

import numpy

# numpy.savez stamps the members with the time of day; this is the earliest date a zip file can hold.
FIXED_DATE = (1980, 1, 1, 0, 0, 0)


def npz_bytes(arrays: Mapping[str, numpy.ndarray[Any, Any]]) -> bytes:
    """The arrays as an .npz file. Stored, not deflated: zlib's output differs between its versions."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as members:
        for name in sorted(arrays):
            content = io.BytesIO()
            numpy.lib.format.write_array(content, arrays[name], version=(1, 0), allow_pickle=False)
            member = zipfile.ZipInfo(f"{name}.npy", date_time=FIXED_DATE)
            member.create_system = 3  # Unix, also when written elsewhere
            member.external_attr = 0o644 << 16
            members.writestr(member, content.getvalue())
    return archive.getvalue()


def write_atomically(path: str, content: bytes) -> None:
    """Writes through a temporary file beside `path`: a reader sees the old file or the new one, never half."""
    directory = os.path.dirname(os.path.abspath(path))
    handle, temporary = tempfile.mkstemp(dir=directory, prefix=".digits-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", required=True, metavar="FILE", help="where to write, for example digits.npz")
    output = parser.parse_args().output
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        sys.exit("write_digits.py needs scikit-learn, which is not installed: apt-get install python3-sklearn")

    digits: Any = load_digits()
    content = npz_bytes({"images": digits.images.astype("uint8"), "labels": digits.target.astype("uint8")})
    try:
        write_atomically(output, content)
    except OSError as error:
        sys.exit(f"cannot write {output}: {error.strerror}; --output needs a writable path in an existing directory")
    print(json.dumps({"file": output, "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}))


if __name__ == "__main__":
    main()
