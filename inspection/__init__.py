"""One model, looked at: what it costs, what it sees, and whether its gradients are right. Import the files directly."""
