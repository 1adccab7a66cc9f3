"""RMSProp with Nesterov momentum.

Source: Goodfellow, Bengio and Courville, *Deep Learning* (2016), chapter 8, algorithm 8.6.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from checks.arguments import require_number
from optimizers._float32 import Float32Optimizer, state_like
from optimizers._gradients import dense_gradients, use_foreach


def nesterov_rmsprop_update(
    param: Tensor,
    grad: Tensor,
    square_avg: Tensor,
    velocity: Tensor,
    *,
    lr: float,
    rho: float,
    momentum: float,
    eps: float,
    weight_decay: float,
) -> None:
    """One step in place: the slow, obvious version.

    Args:
        param: phi = theta + momentum * v, the point where the gradient was taken; any shape.
        grad: gradient at phi, same shape.
        square_avg: r, same shape.
        velocity: v, same shape, with the learning rate in it.
        lr: learning rate.
        rho: decay rate of r.
        momentum: the book's alpha.
        eps: added to sqrt(r).
        weight_decay: L2 coefficient.
    """
    grad = grad + weight_decay * param
    square_avg.copy_(rho * square_avg + (1 - rho) * grad * grad)
    move = -lr * grad / (square_avg.sqrt() + eps)
    velocity.copy_(momentum * velocity + move)
    param.add_(move + momentum * velocity)


def nesterov_rmsprop_update_foreach(
    params: list[Tensor],
    grads: list[Tensor],
    square_avgs: list[Tensor],
    velocities: list[Tensor],
    *,
    lr: float,
    rho: float,
    momentum: float,
    eps: float,
    weight_decay: float,
) -> None:
    """`nesterov_rmsprop_update` of many tensors at once."""
    if weight_decay != 0:
        grads = list(torch._foreach_add(grads, params, alpha=weight_decay))
    torch._foreach_mul_(square_avgs, rho)
    torch._foreach_addcmul_(square_avgs, grads, grads, value=1 - rho)
    roots = torch._foreach_sqrt(square_avgs)
    torch._foreach_add_(roots, eps)
    moves = torch._foreach_div(grads, roots)
    torch._foreach_mul_(moves, -lr)
    torch._foreach_mul_(velocities, momentum)
    torch._foreach_add_(velocities, moves)
    torch._foreach_add_(params, moves)
    torch._foreach_add_(params, velocities, alpha=momentum)


class NesterovRMSprop(Float32Optimizer):
    """RMSProp with Nesterov momentum, the gradient taken at the stored parameters.

    The book takes the gradient g at the look-ahead point theta + alpha v, then r <- rho r + (1 - rho) g^2,
    v <- alpha v - (lr / sqrt r) g, theta <- theta + v. Here, as in torch's SGD, the parameters *are* the look-ahead
    point phi = theta + alpha v, so that an ordinary backward pass gives g, and the same recursion reads
    v <- alpha v - lr g / (sqrt r + eps); phi <- phi - lr g / (sqrt r + eps) + alpha v (with the new v).

    It is the book's algorithm to the rounding, whatever lr does from step to step, for v holds its learning rates
    (torch's own buffers leave lr outside). theta = phi - alpha v recovers the book's point; v and r start at 0, so the
    two begin together. Where a policy changes the momentum, that step differs from the book's by (change of momentum) *
    v, as in torch's SGD. eps enters outside the root, as in torch's RMSprop; the book's algorithm has none. r has no
    bias correction: the first steps are large, up to lr / sqrt(1 - rho).

    Args:
        params: tensors, or groups of them.
        lr: learning rate.
        rho: decay rate of the mean square r (torch's RMSprop calls it alpha).
        momentum: the book's alpha; 0 gives RMSProp without momentum.
        eps: added to sqrt(r).
        weight_decay: L2 coefficient; weight_decay * phi joins the gradient.
        foreach: many tensors at once (True), one by one (False), or by device and dtype (null).

    Raises:
        ValueError: an option is out of range.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-3,
        rho: float = 0.9,
        momentum: float = 0.9,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        foreach: bool | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "rho": rho,
            "momentum": momentum,
            "eps": eps,
            "weight_decay": weight_decay,
            "foreach": foreach,
        }
        super().__init__(params, defaults)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group.

        Raises:
            ValueError: an option is out of range; the optimizer is then as it was before.
        """
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        try:
            require_number("[0, inf)", "try 0.001", lr=group["lr"])
            require_number("[0, 1)", "try 0.9", rho=group["rho"])
            require_number("[0, 1)", "try 0.9", momentum=group["momentum"])
            require_number("(0, inf)", "try 1e-8", eps=group["eps"])
            require_number("[0, inf)", "0 is none", weight_decay=group["weight_decay"])
        except ValueError:
            self.param_groups.pop()
            raise

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step over every tensor that has a gradient.

        Args:
            closure: computes the loss anew, with gradients; its value is returned.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            if not params:
                continue
            grads = dense_gradients(params)
            for p in params:
                if not self.state[p]:
                    self.state[p]["square_avg"], self.state[p]["velocity"] = state_like(p), state_like(p)
                    self.start_master(p)
            square_avgs = [self.state[p]["square_avg"] for p in params]
            velocities = [self.state[p]["velocity"] for p in params]
            options = {key: group[key] for key in ("lr", "rho", "momentum", "eps", "weight_decay")}
            weights, grads = self.wide(params, grads)
            if use_foreach(group["foreach"], weights):
                nesterov_rmsprop_update_foreach(weights, grads, square_avgs, velocities, **options)
            else:
                for tensors in zip(weights, grads, square_avgs, velocities, strict=True):
                    nesterov_rmsprop_update(*tensors, **options)
            self.write_back(params, weights)
        return loss
