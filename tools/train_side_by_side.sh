#!/usr/bin/env bash
# Train several networks side by side for a fixed time, each from the weights that ship: what a GPU lent by the minute wants.
#
#     bash tools/train_side_by_side.sh DATA/train OUT MINUTES denoise-night deblur-defocus gan-jpeg [-- OPTIONS OF hfpie train]
#
# On a GPU they share it by NVIDIA's multi-process service, which doubles what one training alone reaches. The cores are
# shared out among them. Every minute, and at the end, OUT gets NAME.safetensors (the best so far), NAME.csv and NAME.log;
# the runs themselves lie in RUNS, ./runs by default. PYTHON: the interpreter, python3 by default.
set -euo pipefail

data=$1 out=$2 minutes=$3
shift 3
names=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do names+=("$1") && shift; done
[ $# -gt 0 ] && shift
runs=${RUNS:-runs}

same_size="--set crop=192 --set batch=32 --set echo=2 --set finish.batch=12"
enlarging="--set crop=256 --set batch=32 --set echo=4 --set finish.batch=16"

# the experts that ship, each with its checkpoint and its number there
declare -A experts=([denoise-web]="denoise 1" [denoise-night]="denoise 2" [denoise-gaussian]="denoise 3"
    [denoise-grain]="denoise 4" [denoise-day]="denoise 5" [denoise]="denoise 5"
    [denoise-awgn-high]="denoise-awgn 3" [deblur-motion]="deblur 2" [deblur-gaussian]="deblur 3"
    [deblur-gaussian-jpeg]="deblur 4" [deblur-defocus]="deblur 5"
    [sr-drawn]="sr-x4 3" [gan-jpeg]="sr-x4-gan 1" [gan-bicubic]="sr-x4-gan 2")

recipe() { # the options of one training
    case $1 in
    denoise) echo "--task denoise --recipe compact --init $out/denoise-before.safetensors --rate 0.005 $same_size" ;;
    awgn) echo "--task denoise --recipe compact-denoise-awgn --init compact.denoise-awgn --rate 0.005 $same_size" ;;
    deblur) echo "--task deblur --recipe compact --init compact.deblur --rate 0.005 $same_size" ;;
    denoise-* | deblur-* | sr-* | gan-*)
        [ -n "${experts[$1]:-}" ] || { echo "train_side_by_side.sh: unknown expert: $1" >&2 && return 2; }
        local from="--init $out/$1-before.safetensors"
        case $1 in
        gan-*) echo "--task sr --gan --recipe compact-sr-$1 $from --set batch=32 --set echo=2" ;;
        *) echo "--task ${1%%-*} --recipe compact-$1 $from $same_size" ;;
        esac
        ;;
    sr) echo "--task sr --recipe compact-sr-jpeg --init compact.sr-x4 $enlarging" ;;
    bicubic) echo "--task sr --recipe compact-sr-bicubic --init compact.sr-x4-bicubic --rate 0.005 $enlarging" ;;
    large-denoise) echo "--task denoise --recipe large --set batch=16 --set echo=2 --set finish.batch=4 --set compile=false" ;;
    large-sr) echo "--task sr --recipe large --set crop=192 --set batch=16 --set echo=4 --set finish.batch=4 --set compile=false" ;;
    *) echo "train_side_by_side.sh: unknown training: $1" >&2 && return 2 ;;
    esac
}

keep() { # copy what there is; a checkpoint is written atomically, and its copy is renamed into place
    for name in "${names[@]}"; do
        for kind in best.safetensors log.csv; do
            target=$out/$name.${kind##*.}
            if cp "$runs/$name/$kind" "$target.part" 2>/dev/null; then mv "$target.part" "$target"; fi
        done
    done
}

for name in "${names[@]}"; do recipe "$name" >/dev/null; done
mkdir -p "$out" "$runs"
for name in "${names[@]}"; do
    # shellcheck disable=SC2086  # a checkpoint and a number
    [ -z "${experts[$name]:-}" ] ||
        "${PYTHON:-python3}" tools/split.py compact.${experts[$name]} "$out/$name-before.safetensors"
done
if command -v nvidia-cuda-mps-control >/dev/null; then nvidia-cuda-mps-control -d || true; fi
threads=$(($(nproc) / ${#names[@]}))
export OMP_NUM_THREADS=$((threads > 1 ? threads : 1))
trainings=() rounds=0
for name in "${names[@]}"; do
    # shellcheck disable=SC2046  # several options
    "${PYTHON:-python3}" -m hfpie_cli train $(recipe "$name") --data "$data" --minutes "$minutes" -o "$runs/$name" "$@" \
        >"$out/$name.log" 2>&1 &
    trainings+=($!)
done
trap 'kill "${trainings[@]}" 2>/dev/null || true; keep' EXIT
while [ -n "$(jobs -rp)" ]; do sleep 5 && [ $((++rounds % 12)) -ne 0 ] || keep; done
status=0
for training in "${trainings[@]}"; do wait "$training" || status=$?; done
exit "$status"
