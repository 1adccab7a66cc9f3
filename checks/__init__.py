"""Checks that every room may use; knows no other room."""
