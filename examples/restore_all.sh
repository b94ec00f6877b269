#!/bin/sh
# Restore the three degraded examples, the small one also by --gan, into a folder: sh examples/restore_all.sh OUT
set -eu
here=$(dirname "$0")
hfpie denoise "$here/chelsea_noisy.png" -o "$1/"
hfpie deblur "$here/chelsea_blurred.png" -o "$1/"
hfpie sr "$here/chelsea_small.png" -o "$1/"
hfpie sr --gan "$here/chelsea_small.png" -o "$1/chelsea_small_gan.png"
