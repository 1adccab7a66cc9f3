"""Run by path in a process of its own: download one dataset with torchvision's own code, and load nothing of it.

A process of its own, because torchvision's downloads have no time limit, print as they like, and import torch.
"""

import socket
import sys

from torchvision import datasets

if __name__ == "__main__":
    name, folder = sys.argv[1:]
    socket.setdefaulttimeout(30)
    # Not constructed: the constructor would load what it downloaded, and for CIFAR-10 that means unpickling it.
    dataset = object.__new__(getattr(datasets, name))
    dataset.root = folder
    dataset.download()
