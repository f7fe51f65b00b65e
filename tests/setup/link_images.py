"""Gives a Docker Engine that has not started yet images of another one, by links to the files of their layers.

    link_images.py FROM TO IMAGE...

FROM and TO are the data roots of two engines of one version on one file system, both with the storage driver overlay2.
An engine never writes to a layer that is complete, so both may have its files: a gigabyte takes a second, and no room.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path


def chain(diff_ids: list[str]) -> Iterator[str]:
    """The names of an image's layers (OCI Image Format Specification, Layer ChainID)."""
    last = ""
    for diff in diff_ids:
        last = "sha256:" + hashlib.sha256(f"{last} {diff}".encode()).hexdigest() if last else diff
        yield last.removeprefix("sha256:")


def link_layer(here: Path, there: Path, name: str) -> None:
    """What the engine knows of the layer, its files, and the short name that overlays are mounted by."""
    known = Path("image/overlay2/layerdb/sha256", name)
    if (there / known).exists():
        return
    files = Path("overlay2", (here / known / "cache-id").read_text())
    short = Path("overlay2/l", (here / files / "link").read_text())
    # Owners, devices and extended attributes are part of a layer.
    subprocess.run(["cp", "--archive", "--link", here / files, there / files], check=True)
    (there / short).symlink_to(os.readlink(here / short))
    shutil.copytree(here / known, there / known)


def link_image(here: Path, there: Path, name: str) -> None:
    content = Path("image/overlay2/imagedb/content/sha256", name)
    for layer in chain(json.loads((here / content).read_text())["rootfs"]["diff_ids"]):
        link_layer(here, there, layer)
    shutil.copy(here / content, there / content)


def link_images(here: Path, there: Path, images: list[str]) -> None:
    names = Path("image/overlay2/repositories.json")
    known = json.loads((here / names).read_text())["Repositories"]
    taken: dict[str, dict[str, str]] = {}
    for folder in ("overlay2/l", "image/overlay2/imagedb/content/sha256", "image/overlay2/layerdb/sha256"):
        (there / folder).mkdir(parents=True)
    for image in images:
        repository = image.rpartition(":")[0]
        taken.setdefault(repository, {})[image] = known[repository][image]
        link_image(here, there, known[repository][image].removeprefix("sha256:"))
    (there / names).write_text(json.dumps({"Repositories": taken}))


if __name__ == "__main__":
    link_images(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
