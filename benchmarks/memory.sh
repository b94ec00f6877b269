#!/bin/sh
# Peak memory of a denoise of a 48-megapixel PNG on the CPU: sh benchmarks/memory.sh (GNU time must be installed)
set -eu
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python - "$scratch/large.png" <<'PYTHON'
import sys
import numpy as np
from PIL import Image
rows = np.random.default_rng(0).integers(96, 160, (6000, 8000, 3), dtype=np.uint8)
Image.fromarray(rows).save(sys.argv[1], compress_level=1)
PYTHON
/usr/bin/time -f "%M KiB at most, %e seconds" hfpie denoise "$scratch/large.png" --device cpu "$@"
