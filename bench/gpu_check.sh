#!/usr/bin/env bash
# Everything that only a GPU can show, in under 9 minutes and without a network: builds, runs the CUDA tests, the small
# ones under compute-sanitizer, then bench/bench_cuda.py and bench/bench_cuda_graph.py.
#
#     bench/gpu_check.sh [folder for results]
#
# Needs nvcc, CMake, ninja and a python3 that has pybind11, scikit-build-core, numpy and torch (and cupy for its arrays).
# The tests in Python want pytest, hypothesis and ml_dtypes besides: what is missing is taken from wheels in
# bench/wheels, if somebody has put them there (pip download -d bench/wheels pytest hypothesis ml_dtypes); without them
# the tests in C++ run alone. Installs into a folder of its own that it deletes.
set -euo pipefail
cd "$(dirname "$0")/.."
out="${1:-${OUT:-bench/results}}"
export PATH="/usr/local/cuda/bin:$PATH"
python="${PYTHON:-python3}"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
failed=()
not_run=()
deadline=530   # seconds for all of it
for_bench=200  # of them kept for the benchmarks
for_graph=50   # of these kept for the second one

step() { printf '\n== %s (%ds)\n' "$1" "$SECONDS"; }
# left RESERVE: seconds until the deadline, less RESERVE.
left() { echo $((deadline - $1 - SECONDS)); }
at_most() { echo $(($1 < $2 ? $1 : $2)); }
# limited SECONDS RESERVE NAME COMMAND...: what fails is told at the end; what comes after it still runs.
limited() {
  local seconds name="$3"
  seconds="$(at_most "$1" "$(left "$2")")"
  shift 3
  step "$name"
  if ((seconds < 5)); then
    not_run+=("$name: no time is left")
  elif ! timeout --signal=INT --kill-after=10 "$seconds" "$@"; then
    failed+=("$name")
    echo "FAILED (or ran longer than $seconds s): $name"
  fi
}

step "machine"
nvidia-smi --query-gpu=name,driver_version,memory.total,memory.free --format=csv || true
nvcc --version | tail -n 2
"$python" --version
"$python" -c 'from importlib.metadata import version
for name in ("pybind11", "scikit-build-core", "numpy"): print(name, version(name))'

step "build"
timeout "$(at_most 200 "$(left $for_bench)")" \
  "$python" -m pip install --quiet --no-index --no-deps --no-build-isolation --no-cache-dir \
  --config-settings=cmake.define.QDIT_CUDA=ON --config-settings=cmake.define.QDIT_BUILD_TESTS=ON \
  --config-settings="build.targets=_core;qdit_cuda;test_device_cuda;test_device_cuda_graph" \
  --config-settings=build-dir="$work/build" --target "$work/site" .
export PYTHONPATH="$work/site${PYTHONPATH:+:$PYTHONPATH}"
# The kinds of kernels that the device has, each asked for: an error, not the other kind, where one is wrong.
kinds="$("$python" -c 'from qdit import _core
print("wgmma mma" if "capability 9.0" in _core.cuda_status()["name"] else "mma")')"
# These need no package of Python.
for kind in $kinds; do
  for subject in cuda cuda_graph; do
    limited 60 $for_bench "C++ tests, $kind: $subject" env QDIT_CUDA_KERNELS="$kind" \
      "$work/build/tests/cpp/test_device_$subject"
  done
done

for name in pytest hypothesis ml_dtypes; do
  "$python" -c "import $name" 2>/dev/null && continue
  [ -d bench/wheels ] && "$python" -m pip install --quiet --no-index --find-links bench/wheels --target "$work/tools" \
    "$name" || true
done
export PYTHONPATH="$PYTHONPATH:$work/tools"
# Plugins of a developer's setup may be missing here, and other packages' warnings are theirs.
pytest=("$python" -m pytest -p no:cacheprovider -o addopts= -W ignore -ra -q)
"$python" -c 'from qdit import _core; s = _core.cuda_status(); print(s); raise SystemExit(not s["usable"])'

run_tests() {
  "${pytest[@]}" tests/engine/test_cuda.py tests/engine/test_gains.py tests/engine/test_options.py \
    tests/engine/test_progress.py tests/engine/test_rows_of_engine.py tests/selection/test_exact.py tests/selection/test_replay.py \
    tests/selection/test_stochastic.py tests/selection/test_invariance.py tests/engine/test_limits.py \
    tests/selection/graph/test_build.py tests/selection/graph/test_select.py tests/selection/graph/test_method.py tests/distributed/test_engine.py \
    -k "cuda or cupy or torch" | tee "$work/tests.txt"
  # none may skip: but those that only the emulation can run
  ! grep -E '^SKIPPED' "$work/tests.txt" | grep -v 'emulated device'
}
export -f run_tests
if "$python" -c 'import pytest, hypothesis, ml_dtypes' 2>/dev/null; then
  limited 150 $for_bench "tests" bash -c "set -euo pipefail; work='$work'; pytest=(${pytest[*]@Q}); $(declare -f run_tests); run_tests"
  if [ "$kinds" != mma ]; then
    limited 45 $for_bench "tests, mma" env QDIT_CUDA_KERNELS=mma "${pytest[@]}" tests/engine/test_cuda.py tests/selection/graph/test_build.py \
      tests/selection/test_exact.py -k cuda
  fi
else
  not_run+=("tests in Python: pytest, hypothesis or ml_dtypes is missing, and bench/wheels has none")
fi

# The tests in C++: small, and without Python and torch in between.
if command -v compute-sanitizer >/dev/null; then
  backend="$work/build/tests/cpp/test_device_cuda"
  for tool in memcheck racecheck synccheck; do
    # Some virtualised machines do not let it near the device. The same call has worked without it above.
    if ! QDIT_ONLY=nothing_is_picked timeout "$(at_most 30 "$(left 0)")" compute-sanitizer --tool "$tool" \
      "$backend" >"$work/sanitizer.txt" 2>&1; then
      tail -n 5 "$work/sanitizer.txt"
      not_run+=("compute-sanitizer $tool: it refuses this device")
      continue
    fi
    for test in "$backend every_method" "$backend tracked_gains" "${backend}_graph integer_rows"; do
      read -r program only <<<"$test"
      for kind in $kinds; do
        limited 40 $for_bench "compute-sanitizer $tool, $kind: $only" env QDIT_CUDA_KERNELS="$kind" QDIT_ONLY="$only" \
          compute-sanitizer --tool "$tool" --error-exitcode 9 --print-limit 20 "$program"
      done
    done
  done
else
  not_run+=("compute-sanitizer: it is not installed")
fi

seconds="$(at_most 170 "$(left $for_graph)")"
limited "$seconds" 0 "benchmark" "$python" bench/bench_cuda.py --seconds $((seconds - 20)) --out "$out"
seconds="$(left 0)"
limited "$seconds" 0 "benchmark of the graph" "$python" bench/bench_cuda_graph.py --seconds $((seconds - 5)) --out "$out"

step "done"
if ((${#not_run[@]})); then printf 'NOT RUN: %s\n' "${not_run[@]}"; fi
if ((${#failed[@]})); then
  printf 'FAILED: %s\n' "${failed[@]}"
  exit 1
fi
echo "all that ran passed"
