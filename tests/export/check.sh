#!/bin/sh
# Exports of scripted runs, loaded with the packages that people load them with. Not part of `cargo test`: it needs a package
# index, or PYTHON with datasets, trl, torch, transformers, huggingface_hub and PyYAML in it.
#
#   tests/export/check.sh [COLLOQUY [CHAT_TEMPLATE…]]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
colloquy=${1:-$here/../../target/debug/colloquy}
[ $# -gt 0 ] && shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ -z "${PYTHON:-}" ]; then
    python3 -m venv "$work/venv"
    "$work/venv/bin/pip" install -q datasets trl transformers torch huggingface_hub pyyaml
    PYTHON=$work/venv/bin/python
fi
cd "$work"
make() {
    "$colloquy" generate "$1" --model scripted:echo=0.2,long=0.1 --set count="$2" --out "$1" >/dev/null 2>&1
}
make support 60
make groupchat-generated 30
make mixed 40
support=$(echo support/*) groups=$(echo groupchat-generated/*) mixed=$(echo mixed/*)
# A folder with a name that ends in /, else a file.
out() {
    name=$1
    shift
    "$colloquy" export "$@" --out "out/$name" 2>>log || { tail -3 log >&2; exit 1; }
}
mkdir out
split="--split train=0.8,validation=0.1,test=0.1"
for as in jsonl parquet; do
    out "messages-support-$as/" "$support" --as $as $split
    out "messages-full-$as/" "$support" --as $as $split --system page --train-on assistant --links --where verdict=any
    out "messages-mixed-$as/" "$mixed" --as $as $split
    out "messages-group-$as/" "$groups" --as $as --perspective each --system short --split train=1,test=1 --split-by persona
    out "messages-two-mixed-$as/" "$support" "$groups" --as $as --mix 0.7,0.3
    out "sharegpt-$as/" "$mixed" --as $as --format sharegpt --system short --train-on last $split
    out "preference-$as/" "$support" --as $as --format preference --system page
    out "preference-both-$as/" "$support" --as $as --format preference --side both
    out "asynth-$as/" "$support" --as $as --format asynth --with-rejected $split
    out "experiences-$as/" "$groups" --as $as --format experiences $split
done
out convogen/ "$groups" --format convogen --split train=0.8,test=0.2
for format in messages sharegpt preference; do
    out "$format.jsonl" "$mixed" --format $format
    out "$format.parquet" "$mixed" --format $format --as parquet
done
HF_HUB_OFFLINE=1 HF_HOME=$work/home "$PYTHON" "$here/check.py" "$work/out" "$@"
