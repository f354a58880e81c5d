#!/usr/bin/env bash
# Are the servers up, do they paint, do they refuse what is no picture?
#   deploy/smoke.sh [ARBITRARY_URL [GATYS_URL]]     "-" in place of a URL leaves that model out
# TFSTYLE names the command line if it is not on the PATH: TFSTYLE=.venv/bin/tfstyle deploy/smoke.sh
set -euo pipefail

pictures=$(cd "$(dirname "$0")/../tests/data" && pwd)
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

failed() {
    echo "FAILED: $*" >&2
    exit 1
}

# check MODEL URL BYTES_SIGNATURE ITS_OTHER_INPUTS CLIENT_FLAG...
check() {
    local model=$1 url=${2%/} signature=$3 inputs=$4 code
    shift 4
    curl -fsS --max-time 30 "$url/v1/models/$model" | grep -q '"AVAILABLE"' ||
        failed "$url has no version of the model $model that is AVAILABLE."
    echo "ok  $model is available at $url"

    # "bm90IGEgcGljdHVyZQ==" is "not a picture".
    code=$(curl -sS --max-time 60 -o "$out/refusal" -w '%{http_code}' \
        -d "{\"signature_name\": \"$signature\", \"inputs\": {$inputs,
            \"content_bytes\": [{\"b64\": \"bm90IGEgcGljdHVyZQ==\"}],
            \"style_bytes\": [{\"b64\": \"bm90IGEgcGljdHVyZQ==\"}]}}" \
        "$url/v1/models/$model/labels/stable:predict")
    [ "$code" = 400 ] || failed "$model answered $code to bytes that are no picture: $(head -c 300 "$out/refusal")"
    echo "ok  $model refuses what is no picture: $(tr -s '\n ' ' ' < "$out/refusal" | head -c 200)"

    "${TFSTYLE:-tfstyle}" client "$pictures/chelsea_96.jpg" "$pictures/swirl_128.jpg" -o "$out/$model.png" \
        --size 96 --url "$url" --label stable "$@" || failed "tfstyle client could not paint with $model."
    [ -s "$out/$model.png" ] || failed "tfstyle client wrote no picture with $model."
    echo "ok  $model paints"
}

arbitrary=${1:-http://127.0.0.1:8501}
gatys=${2:-http://127.0.0.1:8511}
[ "$arbitrary" = - ] || check arbitrary "$arbitrary" stylize_bytes '"strength": [1.0]' --method fast
[ "$gatys" = - ] || check gatys "$gatys" optimize_bytes \
    '"steps": [1], "content_weight": [1.0], "style_weight": [1.0], "tv_weight": [0.0]' --method optimize --steps 5
echo "All is well."
