"""Checkpoints by name: found, verified, loaded, converted, published."""
