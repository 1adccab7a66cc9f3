"""Batch normalisation over the whole batch of several processes on CPUs, for which torch has none."""

from typing import Any

import torch
from pytorch_lightning.plugins import LayerSync
from torch import Tensor, nn


class SyncBatchNormOnCPU(LayerSync):
    """What `trainer.sync_batchnorm` puts in place of batch normalisation where the processes run on CPUs."""

    def apply(self, model: nn.Module) -> nn.Module:
        """Let the batch-normalisation layers of a model take their moments over all processes."""
        for module in model.modules():
            if type(module) in _SYNCED:
                module.__class__ = _SYNCED[type(module)]
        return model

    def revert(self, model: nn.Module) -> nn.Module:
        """Let them be what they were; their parameters and moments have stayed their own."""
        for module in model.modules():
            for before, synced in _SYNCED.items():
                if type(module) is synced:
                    module.__class__ = before
        return model


class OverProcesses(nn.modules.batchnorm._BatchNorm):
    """Batch normalisation over the rows of all processes. torch's SyncBatchNorm takes tensors of GPUs alone."""

    def forward(self, input: Tensor) -> Tensor:
        """Normalise by the moments of the rows of all processes, of which this one may have none.

        Args:
            input: floats (rows, channels, ...) of this process.

        Raises:
            ValueError: there is one value a channel over all processes.
        """
        if not self.training:
            return super().forward(input)
        self._check_input_dim(input)
        shape = [1, -1, *[1] * (input.dim() - 2)]
        over = [0, *range(2, input.dim())]
        values = input.float() if input.dtype in (torch.bfloat16, torch.float16) else input
        own = values.new_tensor([values.numel() // values.shape[1]])
        sums = _Sum.apply(torch.cat([values.sum(over), own]))
        count = int(sums[-1])
        if count < 2:
            raise ValueError("data.batch_size leaves one value a channel, too few for batch normalisation: raise it")
        mean = sums[:-1] / count
        centred = values - mean.view(shape)
        variance = _Sum.apply(centred.square().sum(over)) / count
        self._follow(mean.detach(), variance.detach() * (count / (count - 1)))
        normal = centred * (variance + self.eps).rsqrt().view(shape)
        if self.affine:
            normal = normal * self.weight.view(shape) + self.bias.view(shape)
        return normal.to(input.dtype)

    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        """Move the running moments."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        weight = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), weight)
        self.running_var.lerp_(variance.to(self.running_var.dtype), weight)


class _Sync1d(OverProcesses, nn.BatchNorm1d):
    pass


class _Sync2d(OverProcesses, nn.BatchNorm2d):
    pass


class _Sync3d(OverProcesses, nn.BatchNorm3d):
    pass


_SYNCED: dict[type[nn.Module], type[nn.Module]] = {
    nn.BatchNorm1d: _Sync1d,
    nn.BatchNorm2d: _Sync2d,
    nn.BatchNorm3d: _Sync3d,
}


class _Sum(torch.autograd.Function):
    """A sum over processes, each of which has a part in the loss: so has its gradient."""

    @staticmethod
    def forward(ctx: Any, own: Tensor) -> Tensor:
        total = own.clone()
        torch.distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.contiguous().clone()
        torch.distributed.all_reduce(total)
        return total
