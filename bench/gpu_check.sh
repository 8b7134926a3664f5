#!/usr/bin/env bash
# Everything that only a GPU can show, in under 9 minutes and without a network: builds, runs the tests in C++, takes the
# rates of the kernels (cuda_probe.cu), runs the tests in Python, the small ones in C++ under compute-sanitizer, then
# bench_cuda.py and bench_cuda_graph.py.
#
#     bench/gpu_check.sh [--dry-run] [folder for results]
#
# Needs nvcc, CMake, ninja and a python3 that has pybind11, scikit-build-core, PyYAML, numpy and torch (and cupy for its
# arrays); the tests in Python want pytest, pytest-xdist, hypothesis and ml_dtypes besides. What is missing is taken
# from wheels in bench/wheels, if somebody has put them there (pip download -d bench/wheels NAME). Installs into a
# folder of its own that it deletes. PYTHON names another python3.
#
# --dry-run: every step but the measuring, on a machine without a device, by emulated kernels and a python that has only
# the packages of bare_machine/packages.txt: what ends early there would end early on a device too. Its numbers mean
# nothing and are not kept. It builds in build/gpu-check, which makes the next dry run short.
set -euo pipefail
cd "$(dirname "$0")/.."
dry=0
if [ "${1:-}" = --dry-run ]; then dry=1 && shift; fi
out="${1:-${OUT:-bench/results}}"
export PATH="/usr/local/cuda/bin:$PATH"
python="${PYTHON:-python3}"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
build="$work/build"
workers=8
library=qdit_cuda
prefix=test_device_ # of the programs of tests in C++
smaller=() # what makes the benchmarks go through all they do and measure nothing
chosen="cuda or cupy or torch"
may_skip="emulated device"
deadline=540   # seconds for all of it
for_bench=220  # of them kept for the benchmarks
for_graph=50   # of these kept for the second one
if ((dry)); then
  out="$work/results"
  build="$PWD/build/gpu-check"
  workers=2
  library=qdit_cuda_emulated
  prefix=test_
  smaller=(--dry-run)
  # Two thirds of the tests: the others differ from these in precision alone.
  chosen="cuda-float16 or cupy or torch or (cuda-split and (test_cuda or test_exact or test_build))"
  may_skip="emulated (device|kernels)|no device|could not import 'cupy'"
  deadline=3600
  PATH="$(dirname "$(command -v "$python")"):$PATH" # for CMake and ninja
  export PYTHONPATH="$PWD/bench/bare_machine${PYTHONPATH:+:$PYTHONPATH}"
fi
mkdir -p "$out"
out="$(cd "$out" && pwd)"
failed=()
not_run=()

step() { printf '\n== %s (%ds)\n' "$1" "$SECONDS"; }
# left RESERVE: seconds until the deadline, less RESERVE.
left() { echo $((deadline - $1 - SECONDS)); }
at_most() { echo $(($1 < $2 || dry ? $1 : $2)); }
# limited SECONDS RESERVE NAME COMMAND...: what fails is told at the end; what comes after it still runs.
limited() {
  local seconds name="$3"
  seconds="$(at_most "$1" "$(left "$2")")"
  shift 3
  step "$name"
  if ((dry)); then seconds=1800; fi # on a busy machine, with a fiber for every thread
  if ((seconds < 5)); then
    not_run+=("$name: no time is left")
  elif ! timeout --signal=INT --kill-after=10 "$seconds" "$@"; then
    failed+=("$name")
    echo "FAILED (or ran longer than $seconds s): $name"
  fi
}

step "machine"
nvidia-smi --query-gpu=name,compute_cap,driver_version,memory.total,memory.free --format=csv || true
nvcc --version | tail -n 2 || ((dry))
needed="pybind11 scikit-build-core pyyaml numpy torch pytest pytest-xdist hypothesis ml_dtypes"
cat >"$work/packages.py" <<'END'
"""Print versions of the packages named, "missing" where there is none, and what compiling against python needs."""
import importlib.metadata, pathlib, sys, sysconfig
for name in sys.argv[1:]:
    try:
        print(name, importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        print(name, "missing")
header = pathlib.Path(sysconfig.get_paths()["include"], "Python.h")
print(header, "" if header.exists() else "missing")
END
"$python" --version
"$python" "$work/packages.py" $needed cupy-cuda13x | tee "$work/packages.txt"
missing="$(grep missing "$work/packages.txt" | grep -v -e cupy -e Python.h | cut -d' ' -f1 || true)"
for name in $missing; do
  from=(--no-index --find-links bench/wheels)
  if ((dry)); then from=(); fi # they are on the machine that this stands for
  "$python" -m pip install --quiet "${from[@]}" --upgrade --target "$build-tools" "$name" || true
done
export PYTHONPATH="${PYTHONPATH:+$PYTHONPATH:}$build-tools"

step "build"
mkdir -p "$build"
# The probe needs nothing but the kernels, so that there are numbers where all else fails.
build_probe() { # NAME FLAG...
  local to="$work/$1"
  shift
  if ((dry)); then
    "${CXX:-g++}" -std=c++20 -O2 -ffp-contract=off -ftls-model=initial-exec -DQDIT_CUDA_EMULATION -Itests/cpp/cuda_emulation \
      -Icsrc "$@" -o "$to" -x c++ bench/cuda_probe.cu tests/cpp/cuda_emulation/{runtime,block,warpgroup}.cpp
  else
    nvcc -std=c++20 -O3 -Icsrc "$@" -o "$to" bench/cuda_probe.cu
  fi
}
if ((dry)) || [ "$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -n 1)" = 9.0 ]; then
  probes=(probe probe_without_fence)
  kind=(-gencode=arch=compute_90a,code=sm_90a)
  if ((dry)); then kind=(); fi
  build_probe probe "${kind[@]}" &
  waiting=($!)
  build_probe probe_without_fence "${kind[@]}" -DQDIT_WITHOUT_PROXY_FENCE &
  waiting+=($!)
else
  probes=(probe)
  build_probe probe -arch=native -DQDIT_WITHOUT_WGMMA &
  waiting=($!)
fi
settings=(-DQDIT_CUDA=$( ((dry)) && echo OFF || echo ON) -DQDIT_BUILD_TESTS=ON)
targets="$library;${prefix}cuda;${prefix}cuda_graph"
built=1
timeout "$( ((dry)) && echo 1800 || echo 200)" \
  "$python" -m pip install --quiet --no-index --no-deps --no-build-isolation --no-cache-dir \
  $(printf -- '--config-settings=cmake.define.%s ' "${settings[@]#-D}") \
  --config-settings="build.targets=_core;$targets" \
  --config-settings=build-dir="$build" --target "$work/site" . || built=0
if ((!built)); then
  failed+=("build for Python")
  cmake -S . -B "$build-cpp" -G Ninja -DCMAKE_BUILD_TYPE=Release -DQDIT_BUILD_PYTHON=OFF "${settings[@]}"
  build="$build-cpp"
  cmake --build "$build" --target ${targets//;/ }
fi
for job in "${waiting[@]}"; do wait "$job" || failed+=("build of a probe"); done
export PYTHONPATH="$work/site${PYTHONPATH:+:$PYTHONPATH}"
tests="$build/tests/cpp/$prefix"
if ((dry)); then
  QDIT_CUDA_LIBRARY="$build/tests/cpp/cuda_emulation/lib$library.so"
  export QDIT_CUDA_LIBRARY
fi
kinds="mma"
if ((${#probes[@]} > 1)); then kinds="wgmma mma"; fi

step "rates of the kernels"
for probe in "${probes[@]}"; do
  size=()
  if ((dry)); then size=(300 72); fi
  limited 30 $for_bench "$probe" bash -c 'set -o pipefail; "$1" "${@:3}" | tee "$2"' - "$work/$probe" "$out/cuda_$probe.txt" \
    "${size[@]}"
done

# These need no package of Python.
for kind in $kinds; do
  for subject in cuda cuda_graph; do
    limited 45 $for_bench "C++ tests, $kind: $subject" env QDIT_CUDA_KERNELS="$kind" "$tests$subject"
  done
done

# Plugins of a developer's setup may be missing here, and other packages' warnings are theirs.
pytest=("$python" -m pytest -p no:cacheprovider -o addopts= --import-mode=importlib -W ignore -ra -q -n $workers
  --continue-on-collection-errors)
run_tests() { # FILTER FILE...: none may skip, but those that only the emulation can run
  "${pytest[@]}" -k "$1" "${@:2}" | tee "$work/tests.txt"
  ! grep -E '^SKIPPED' "$work/tests.txt" | grep -v -E "$may_skip"
}
in_python() { # SECONDS NAME FILTER FILE...: run_tests in a shell of its own, so that it can be ended
  local seconds="$1" name="$2"
  shift 2
  limited "$seconds" $for_bench "$name" bash -c "set -euo pipefail; work=${work@Q} may_skip=${may_skip@Q}
    pytest=(${pytest[*]@Q}); $(declare -f run_tests); run_tests ${*@Q}"
}
if ((!built)); then
  not_run+=("tests in Python and benchmarks: the build for Python failed")
elif "$python" -c 'import pytest, xdist, hypothesis, ml_dtypes'; then
  "$python" -c 'from qdit import _core; s = _core.cuda_status(); print(s); raise SystemExit(not s["usable"])'
  in_python 120 "tests" "$chosen" tests/engine/test_cuda.py tests/engine/test_gains.py \
    tests/engine/test_options.py tests/engine/test_progress.py tests/engine/test_rows_of_engine.py \
    tests/selection/test_exact.py tests/selection/test_replay.py tests/selection/test_stochastic.py \
    tests/selection/test_invariance.py tests/engine/test_limits.py tests/selection/graph/test_build.py \
    tests/selection/graph/test_select.py tests/selection/graph/test_method.py tests/distributed/test_engine.py
  if [ "$kinds" != mma ]; then
    QDIT_CUDA_KERNELS=mma in_python 40 "tests, mma" cuda tests/engine/test_cuda.py tests/selection/graph/test_build.py \
      tests/selection/test_exact.py
  fi
else
  not_run+=("tests in Python: one of its packages is missing, and bench/wheels does not have it")
fi

# The tests in C++: small, and without Python and torch in between.
sanitizer=(compute-sanitizer --error-exitcode 9 --print-limit 20)
if ((dry)); then sanitizer=(env); fi # so that at least every test that is named is there
if command -v "${sanitizer[0]}" >/dev/null; then
  for tool in memcheck racecheck synccheck; do
    checked=("${sanitizer[@]}")
    if ((!dry)); then checked+=(--tool "$tool"); fi
    # Some virtualised machines do not let it near the device. The same call has worked without it above.
    if ! QDIT_ONLY=nothing_is_picked timeout "$(at_most 30 "$(left 0)")" "${checked[@]}" "${tests}cuda" \
      >"$work/sanitizer.txt" 2>&1; then
      tail -n 5 "$work/sanitizer.txt"
      not_run+=("compute-sanitizer $tool: it refuses this device")
      continue
    fi
    for test in "cuda every_method" "cuda tracked_gains" "cuda_graph integer_rows"; do
      read -r program only <<<"$test"
      for kind in $kinds; do
        limited 30 $for_bench "compute-sanitizer $tool, $kind: $only" env QDIT_CUDA_KERNELS="$kind" QDIT_ONLY="$only" \
          "${checked[@]}" "$tests$program"
      done
    done
    if ((dry)); then break; fi
  done
else
  not_run+=("compute-sanitizer: it is not installed")
fi

if ((built)); then
  seconds="$(at_most 180 "$(left $for_graph)")"
  limited "$seconds" 0 "benchmark" "$python" bench/bench_cuda.py "${smaller[@]}" --seconds $((seconds - 20)) --out "$out"
  seconds="$(at_most 60 "$(left 0)")"
  limited "$seconds" 0 "benchmark of the graph" "$python" bench/bench_cuda_graph.py "${smaller[@]}" \
    --seconds $((seconds - 5)) --out "$out"
fi

step "done"
if ((dry)); then
  "$python" - "$out" <<'END'
import json, pathlib, sys
found = sorted(pathlib.Path(sys.argv[1]).iterdir())
print("results that a device would leave:", *(file.name for file in found))
assert {file.suffix for file in found} == {".json", ".md", ".txt"}
for file in found:
    if file.suffix == ".json":
        json.loads(file.read_text())
END
fi
if ((${#not_run[@]})); then printf 'NOT RUN: %s\n' "${not_run[@]}"; fi
if ((${#failed[@]})); then
  printf 'FAILED: %s\n' "${failed[@]}"
  exit 1
fi
echo "all that ran passed"
