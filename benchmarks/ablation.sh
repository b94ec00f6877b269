#!/bin/sh
# The paper's ablations: every run of a group with the same start, crops, steps and rates, one thing changed.
#
#     sh benchmarks/ablation.sh DATA/train runs/ablation STEPS [parts|highpass|mask]
#
# parts: from random weights, without edges, without feature attention. highpass: the high-pass loss beside L1. mask: as
# fine-tuning of networks that are trained, behind the GMS mask and without it (paper 3.4: the mask is for training on
# what is still restored badly). Without a group: all. Prints the held-out scores of each run's last step; the first run
# of a group has L1 alone, and the others are to be compared with it. A run that was interrupted goes on, one that is
# done is not made again.
set -eu
data=$1 out=$2 steps=$3 groups=${4:-parts highpass mask}

train() { # NAME RECIPE [OPTION] ...
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

parts() { # RECIPE WEIGHTS
    train "$1" "$1"
    train "$1-without-edges" "$1" --set network.edges=false
    train "$1-without-feature-attention" "$1" --set network.feature_attention=false
}

highpass() {
    train "$1" "$1"
    train "$1-highpass" "$1" --set losses.highpass=0.5
}

mask() {
    train "$1-tuned" "$1" --init "$2" --rate 1e-3
    train "$1-tuned-gms" "$1" --init "$2" --rate 1e-3 --set losses.gms=true
}

for group in $groups; do
    "$group" denoise compact.denoise
    "$group" sr-bicubic compact.sr-x4-bicubic
done
