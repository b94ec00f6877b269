#!/bin/sh
# Restore the three degraded examples into a folder: sh examples/restore_all.sh OUT
set -eu
here=$(dirname "$0")
hfpie denoise "$here/chelsea_noisy.png" -o "$1/"
hfpie deblur "$here/chelsea_blurred.png" -o "$1/"
hfpie sr "$here/chelsea_small.png" -o "$1/"
