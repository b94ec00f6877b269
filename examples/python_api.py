"""Restore a photograph from Python: a file and a Pillow image.

python examples/python_api.py [PHOTO]
"""

import sys
from pathlib import Path

from PIL import Image

from hfpie_cli import Restorer

photo = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "chelsea_noisy.png"
restore = Restorer.from_weights("denoise")
restored = restore(photo)  # (h, w, 3) uint8, as the file
image = restore(Image.open(photo))  # a Pillow image too, with its alpha and its profile
assert (image.width, image.height) == (restored.shape[1], restored.shape[0])
print(f"{photo.name}: {restored.shape[1]} x {restored.shape[0]} {restored.dtype}, mean {restored.mean():.1f}")
