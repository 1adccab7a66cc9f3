"""Keys of random numbers: of what the network draws at a step, and of rehearsals beside the run."""

import hashlib

import torch


def step_key(seed: int, step: int, rank: int) -> int:
    """A 63-bit generator seed for (seed, step, rank); neighbours share nothing."""
    digest = hashlib.blake2b(f"{seed}/{step}/{rank}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def seed_generators(key: int, device: torch.device) -> None:
    """Seed torch's generator on the host and the one on `device`.

    Not `torch.manual_seed`: while CUDA is not in use, it queues a call with its stack trace each time.
    """
    torch.default_generator.manual_seed(key)
    if device.type != "cpu":
        torch.get_device_module(device).manual_seed(key)


def rehearsal_seed(seed: int, number: int) -> int:
    """The seed of a run's rehearsal number 0, 1, ...: other samples' order and other draws than the run's own."""
    digest = hashlib.blake2b(f"rehearsal/{seed}/{number}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "little")
