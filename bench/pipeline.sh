#!/usr/bin/env bash
# What docs/pipeline.md shows: its commands on Stanford Alpaca, what they print, and how long each takes. Ends with the
# seconds and memory of every stage on made-up rows, a million unless told otherwise.
#
#     QDIT_DATA=folder bench/pipeline.sh [made-up rows] > pipeline.txt
#
# Needs qdit on the PATH, and in the folder alpaca_data.json.gz, alpaca_mpnet_f16.npy and alpaca_quality.npy. Works in a
# folder of its own that it deletes. Nothing else should run meanwhile.
set -euo pipefail
: "${QDIT_DATA:?folder with alpaca_data.json.gz, alpaca_mpnet_f16.npy and alpaca_quality.npy}"
rows="${1:-1000000}"
data="$(realpath "$QDIT_DATA")"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
ln -s "$data/alpaca_data.json.gz" .
ln -s "$data/alpaca_mpnet_f16.npy" mpnet.npy
ln -s "$data/alpaca_quality.npy" quality.npy

# A command as one types it, what it prints, its seconds.
show() {
  printf '    $ %s\n' "$*"
  local start="$EPOCHREALTIME"
  "$@" 2> errors | sed 's/^/    /' || { cat errors >&2; exit 1; }
  python3 -c "print(f'    # {$EPOCHREALTIME - $start:.1f} s\n')"
}

show qdit import alpaca_data.json.gz pool --embeddings mpnet.npy --quality quality.npy
show qdit select pool --alpha 0.7 --k 3000 --out chosen-3k
show qdit select pool --alpha 0.7 --k 9000 --out chosen-9k
show qdit sweep pool --alpha 0,0.3,0.5,0.7,0.9,1 --k 9000 --out sweep
show qdit export chosen-3k export-3k
show qdit export chosen-9k export-9k --columns --format jsonl,parquet
show qdit verify export-9k
show qdit explain 17 chosen-9k
show qdit report chosen-9k --sweep sweep --out report-9k

python3 - "$rows" << 'END'
import gzip, json, random, sys

seeds = json.load(gzip.open("alpaca_data.json.gz", "rt"))
draw = random.Random(0)
with open("rows.jsonl", "w") as file:
    for _ in range(int(sys.argv[1])):
        one, other = draw.choices(seeds, k=2)
        row = one | {"instruction": one["instruction"] + " " + other["instruction"]}
        file.write(json.dumps(row) + "\n")
END
cat > million.yaml << 'END'
source: rows.jsonl
embed: {model: "builtin:hash"}
score: {by: response-words}
select: {method: sparse, k: 10000, alpha: 0.7, quality_scale: zscore, memory_budget: 2GB}
export: {format: [jsonl]}
report: {}
END
show qdit run million.yaml --out million
python3 - << 'END'
import json

for name, stage in json.load(open("million/run.json"))["stages"].items():
    print(f"| {name} | {stage['seconds']:.0f} | {stage['peak_rss_bytes'] / 1e9:.2f} GB |")
END
