#!/usr/bin/env bash
# colloquy publish against Azurite, Azure's own emulator of its blob storage, on loopback.
#
#   tests/publish/azurite.sh AZURITE [COLLOQUY]
#
# AZURITE is the program `azurite-blob` (npm install azurite: node_modules/.bin/azurite-blob), COLLOQUY a colloquy built with
# --features publish [default: target/debug/colloquy]. Uploads, kills an upload half way, resumes it, compares bytes, and sees
# what a wrong key, a container that is not there and an emulator that is down come to. Everything is made in a folder of its own
# that goes at the end, and the emulator is stopped by its process id.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
azurite=$(realpath "$1")
colloquy=$(realpath "${2:-$root/target/debug/colloquy}")
here=$(dirname "$(realpath "$0")")
room=$(mktemp -d)
port=${PORT:-10710}
emulator=
stop() { if [ -n "$emulator" ]; then kill "$emulator" 2>/dev/null || true; wait "$emulator" 2>/dev/null || true; emulator=; fi; }
trap 'stop; rm -rf "$room"' EXIT
cd "$room"

fail() { echo "FAILED: $*" >&2; exit 1; }
# expect CODE TEXT COMMAND...: the command ends with this code and says this.
expect() {
  local code=$1 text=$2; shift 2
  local found=0; "$@" >out.txt 2>err.txt || found=$?
  cat out.txt err.txt >said.txt
  [ "$found" = "$code" ] || { cat said.txt >&2; fail "exit code $found instead of $code: $*"; }
  grep -qF -- "$text" said.txt || { cat said.txt >&2; fail "no word of: $text"; }
  if grep -qF -- "$AZURE_STORAGE_ACCOUNT_KEY" said.txt; then fail "the key was printed"; fi
}
start() {
  AZURITE_ACCOUNTS="colloquy:$key" "$azurite" --disableTelemetry --location "$room/store" --blobHost 127.0.0.1 --blobPort "$port" --skipApiVersionCheck >azurite.txt 2>&1 &
  emulator=$!
  for _ in $(seq 300); do (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && return; sleep 0.2; done
  cat azurite.txt >&2; fail "the emulator does not start"
}
blob() { python3 "$here/blob.py" "http://127.0.0.1:$port" colloquy "$key" "$@"; }

key=$(head -c 48 /dev/urandom | base64 -w 0)
export AZURE_STORAGE_ACCOUNT_NAME=colloquy AZURE_STORAGE_ACCOUNT_KEY=$key AZURE_STORAGE_ENDPOINT=http://127.0.0.1:$port/colloquy
unset AZURE_STORAGE_CONNECTION_STRING AZURE_STORAGE_SAS_TOKEN 2>/dev/null || true
mkdir -p data/parts
echo '{"a": 1}' >data/a.jsonl
: >data/empty.txt
seq 1 200000 >data/parts/c.txt
head -c 250000000 /dev/urandom >data/z.bin
publish=("$colloquy" publish data --to az://box/sets/one)

start
expect 66 "no such container" "${publish[@]}"
blob PUT "box?restype=container" >/dev/null
expect 0 "4 files to send" "${publish[@]}" --dry-run

# Killed while the large file is on its way.
"${publish[@]}" >/dev/null 2>&1 & upload=$!
for _ in $(seq 600); do
  [ "$(grep -c 'comp=block&' azurite.txt || true)" -ge 8 ] && break
  sleep 0.05
done
kill -9 "$upload" 2>/dev/null || fail "the upload ended before it could be killed"
wait "$upload" 2>/dev/null || true
if blob GET box/sets/one/colloquy-publish.json >/dev/null 2>&1; then fail "a manifest after half an upload"; fi
if blob GET box/sets/one/z.bin >/dev/null 2>&1; then fail "half a file counts as one"; fi
blob GET box/sets/one/a.jsonl | cmp - data/a.jsonl || fail "a small file was lost with the large one"

expect 0 "1 file sent (250,000,000 bytes), 3 there already" "${publish[@]}"
expect 0 "4 files read back" "${publish[@]}" --verify
for file in a.jsonl empty.txt parts/c.txt z.bin; do
  blob GET "box/sets/one/$file" | cmp - "data/$file" || fail "$file differs"
done
(cd data && sha256sum a.jsonl empty.txt parts/c.txt z.bin) >own.txt
blob GET box/sets/one/colloquy-publish.json |
  python3 -c 'import json, sys; [print(f["sha256"], "", f["name"]) for f in json.load(sys.stdin)["files"]]' | cmp - own.txt || fail "the manifest differs"
echo '{"a": 2}' >data/a.jsonl
expect 0 '"sent":["a.jsonl"]' "${publish[@]}" --json

# The whole in one variable.
(
  export AZURE_STORAGE_CONNECTION_STRING="DefaultEndpointsProtocol=http;AccountName=colloquy;AccountKey=$key;BlobEndpoint=$AZURE_STORAGE_ENDPOINT"
  unset AZURE_STORAGE_ACCOUNT_NAME AZURE_STORAGE_ENDPOINT
  "$colloquy" publish data --to az://box/sets/one | grep -qF '0 files sent' || fail "no connection by connection string"
)
AZURE_STORAGE_ACCOUNT_KEY=$(head -c 48 /dev/urandom | base64 -w 0)
expect 69 "refuses" "${publish[@]}"
AZURE_STORAGE_ACCOUNT_KEY=$key
stop
expect 69 "cannot be reached" "${publish[@]}"
start
expect 0 "0 files sent" "${publish[@]}"
echo "all as expected"
