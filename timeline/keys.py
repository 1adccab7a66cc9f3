"""Seeds derived from the run's seed: for what the network draws at a step (dropout), and for rehearsals."""

import hashlib

import torch


def step_key(seed: int, step: int, rank: int) -> int:
    """A 63-bit generator seed for (seed, step, rank); those of neighbouring steps are unrelated."""
    digest = hashlib.blake2b(f"{seed}/{step}/{rank}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def seed_generators(key: int, device: torch.device) -> None:
    """Seed torch's generator on the host and the one on `device`.

    `torch.manual_seed` is not used: before CUDA is initialised, each call of it queues another one with a stack trace.
    """
    torch.default_generator.manual_seed(key)
    if device.type != "cpu":
        torch.get_device_module(device).manual_seed(key)


def rehearsal_seed(seed: int, number: int) -> int:
    """The seed of a run's rehearsal number 0, 1, ...; the order of samples and all draws differ from the run's."""
    digest = hashlib.blake2b(f"rehearsal/{seed}/{number}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "little")
