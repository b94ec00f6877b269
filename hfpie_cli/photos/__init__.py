"""Photographs: files to arrays and back, nothing lost."""
