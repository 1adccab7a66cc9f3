"""Autograd's gradient against central differences."""
