"""Memory of a forward pass and of a training step, predicted and measured."""
