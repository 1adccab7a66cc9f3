"""Bytes that a step takes, predicted and measured."""
