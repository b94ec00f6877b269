"""Photographs: files to arrays and back, nothing lost."""

import logging

logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # whichever module imports it; errors come as exceptions
