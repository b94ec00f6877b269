#!/bin/sh
# The paper's ablations: every run of a group with the same start, crops, steps and rates, one thing changed.
#
#     sh benchmarks/ablation.sh DATA/train runs/ablation [STEPS]
#
# From random weights: edges, feature attention, the high-pass loss. As fine-tuning of networks that are trained: the
# GMS mask, which trains on what is still restored badly (paper 3.4). Prints the held-out scores of each run's last
# step; the first run of a group has L1 alone, and the others are to be compared with it. A run that was interrupted
# goes on, one that is done is not made again.
set -eu
data=$1 out=$2 steps=${3:-700}

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

for recipe in denoise-awgn sr; do
    train "$recipe" "$recipe"
    train "$recipe-without-edges" "$recipe" --set network.edges=false
    train "$recipe-without-feature-attention" "$recipe" --set network.feature_attention=false
    train "$recipe-highpass" "$recipe" --set losses.highpass=0.5
done

finetune() { # RECIPE WEIGHTS
    recipe=$1 weights=$2
    set -- --init "$weights" --rate 1e-3 --set warmup=50
    train "$recipe-tuned" "$recipe" "$@"
    train "$recipe-tuned-gms" "$recipe" "$@" --set losses.gms=true
    train "$recipe-tuned-highpass" "$recipe" "$@" --set losses.highpass=0.5
    train "$recipe-tuned-highpass-gms" "$recipe" "$@" --set losses.highpass=0.5 --set losses.gms=true
}

finetune denoise-awgn compact.denoise-awgn
finetune sr compact.sr-x4
