"""Measurements of one model: its costs, its receptive fields, and whether its gradients are right. Import the files."""
