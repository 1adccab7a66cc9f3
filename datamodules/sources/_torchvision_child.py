"""Run by path in its own process: download one dataset with torchvision's own code, without loading it.

Its own process, because torchvision's downloads have no time limit, print as they like, and import torch.
"""

import contextlib
import socket
import sys
from collections.abc import Callable
from typing import Any

from torchvision import datasets


class Downloaded(Exception):
    """The download is done."""


def stop_after(download: Callable[[Any], None]) -> Callable[[Any], None]:
    """A `download` that ends the constructor which calls it."""

    def method(dataset: Any) -> None:
        download(dataset)
        raise Downloaded

    return method


if __name__ == "__main__":
    name, folder = sys.argv[1:]
    socket.setdefaulttimeout(30)
    kind = getattr(datasets, name)
    # A constructor sets what `download` needs, but then loads the files, and for CIFAR-10 that means unpickling them.
    kind.download = stop_after(kind.download)
    with contextlib.suppress(Downloaded):
        kind(folder, download=True)
