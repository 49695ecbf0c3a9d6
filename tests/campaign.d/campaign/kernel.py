# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernels: the stock ones, and one of the user's own."""

import fcntl
import pathlib
import struct
import subprocess

from .error import UNSUPPORTED, USAGE, CampaignError
from .template import BUILD, TOP

KERNELS = BUILD / "kernels"
# Of the boot protocol: "HdrS", and where the text with the release is, from the second sector on.
MAGIC_AT, MAGIC, TEXT_AT, SECTOR = 0x202, b"HdrS", 0x20e, 0x200


def release_of(image):
    """The release of a bzImage."""
    with open(image, "rb") as file:
        head = file.read(65536)
    if head[MAGIC_AT:MAGIC_AT + 4] == MAGIC:
        begin = struct.unpack_from("<H", head, TEXT_AT)[0] + SECTOR
        words = head[begin:begin + 256].split(b"\0")[0].decode("ascii", "replace").split()
        if words:
            return words[0]
    raise CampaignError(USAGE, f"{image} is no kernel image (a bzImage)")


def find(kernel, modules, headers):
    """The name of KERNEL, which is one that is here already, or an image file, then with MODULES and
    HEADERS, folders that default to where they are installed. Its shadow module is built."""
    if "/" not in kernel and not pathlib.Path(kernel).is_file():
        if modules or headers:
            raise CampaignError(USAGE, "--modules and --headers go with a kernel image")
        if not (KERNELS / kernel / "vmlinuz").exists():
            raise CampaignError(USAGE, f"--kernel {kernel}: neither a kernel that is here, as "
                                       "scripts/kernels has them, nor an image file")
        return kernel
    image = pathlib.Path(kernel)
    if not image.is_file():
        raise CampaignError(USAGE, f"--kernel {kernel}: there is no such file")
    release = release_of(image)
    modules = modules or pathlib.Path("/lib/modules") / release
    headers = headers or modules / "build"
    for folder, file, option in ((modules, "modules.dep", "modules"),
                                 (headers, "Makefile", "headers")):
        if not (folder / file).exists():
            raise CampaignError(UNSUPPORTED, f"no {option} of {release} in {folder}: name their "
                                             f"folder with --{option}")
    return _own(release, {"vmlinuz": image, "modules": modules, "headers": headers})


def _own(release, parts):
    """Lay it out as scripts/kernels does with stock ones."""
    name = f"own-{release}"
    folder = KERNELS / name
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w", encoding="ascii") as lock:
        # Against other shards that begin with it.
        fcntl.flock(lock, fcntl.LOCK_EX)
        _lay_out(name, folder, release, parts)
    return name


def _lay_out(name, folder, release, parts):
    stamp = " ".join(f"{part.resolve()}:{part.stat().st_mtime_ns}" for part in parts.values())
    if not (folder / "stamp").exists() or (folder / "stamp").read_text("utf-8") != stamp:
        for link, part in parts.items():
            (folder / link).unlink(missing_ok=True)
            (folder / link).symlink_to(part.resolve())
        (folder / "release").write_text(release + "\n", "utf-8")
        (folder / "stamp").write_text(stamp, "utf-8")
    built = subprocess.run([TOP / "scripts/kmod", name], capture_output=True, text=True,
                           stdin=subprocess.DEVNULL, check=False)
    if built.returncode:
        raise CampaignError(UNSUPPORTED, f"recov_shadow cannot be built for {release}: " +
                            (built.stderr.strip().splitlines() or ["no reason given"])[-1])
