#!/bin/sh
# The paper's ablations: from random weights, every run with the same crops, steps and rates, one thing changed.
#
#     sh benchmarks/ablation.sh DATA/train runs/ablation [STEPS]
#
# Prints the held-out scores of each run's last step; the first of each task is the shipped shape with L1 alone, which
# the others are to be compared with. A run that was interrupted goes on, one that is done is not made again.
set -eu
data=$1 out=$2 steps=${3:-700}

train() { # NAME RECIPE [--set KEY=VALUE] ...
    run=$out/$1 recipe=$2
    shift 2
    if [ -e "$run/state.pt" ]; then
        hfpie train --resume "$run" >&2
    else
        hfpie train --task "${recipe%%-*}" --recipe "compact-$recipe" --data "$data" -o "$run" --steps "$steps" \
            --set "validate_every=$steps" --set decay_share=0.5 --set finish.share=0.0 \
            --set losses.pixel=1.0 --set losses.psnr=0.0 "$@" >&2
    fi
    echo "$run: $(head -n 1 "$run/log.csv"): $(tail -n 1 "$run/log.csv")"
}

for recipe in denoise-awgn sr; do
    train "$recipe" "$recipe"
    train "$recipe-without-edges" "$recipe" --set network.edges=false
    train "$recipe-without-feature-attention" "$recipe" --set network.feature_attention=false
    train "$recipe-highpass" "$recipe" --set losses.highpass=0.5
    train "$recipe-highpass-gms" "$recipe" --set losses.highpass=0.5 --set losses.gms=true
done
