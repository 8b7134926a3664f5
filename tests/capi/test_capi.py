"""libqdit: picks of the Python package to the last bit, and an installed copy that programs build against."""

import ctypes
import re
import sys

import numpy as np
import pytest

import qdit
from helpers import libqdit
from helpers.libqdit import GAIN_SCALES, METHODS, METRICS, ROOT, ZERO_ROWS, run, tool
from helpers.oracle import clustered_rows
from qdit.selection.options import CoverageOptions, SelectOptions

N, D, K = 300, 24, 30
ROWS = clustered_rows(N, D, seed=3, dtype="float32")
QUALITY = np.random.default_rng(4).uniform(1, 5, N)
COSTS = np.random.default_rng(5).integers(5, 200, N).astype(np.float64)
GROUPS = np.arange(N) % 4
C99 = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"]


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    """Where libqdit is installed."""
    folder = tmp_path_factory.mktemp("prefix")
    libqdit.install(folder)
    return folder


@pytest.fixture(scope="module")
def library(prefix):
    found = list(prefix.rglob("libqdit.so"))
    assert len(found) == 1
    return libqdit.load(found[0])


def rows_of(dtype):
    """Return the rows in a dtype; bfloat16 as its bits."""
    if dtype != "bfloat16":
        return ROWS.astype(dtype)
    return (ROWS.view(np.uint32) >> 16).astype(np.uint16)


def embeddings_of(rows):
    """Return what qdit.select takes for them."""
    if rows.dtype != np.uint16:
        return rows
    return rows.view(pytest.importorskip("ml_dtypes").bfloat16)


def in_c(options):
    """Return options of Python as libqdit has them: of the pool, of the selection, rows given from outside.

    An option that C does not have must be at its default.
    """
    left, standard = dict(vars(options)), vars(SelectOptions())
    pool = {"metric": METRICS[left.pop("metric")], "zero_rows": ZERO_ROWS[left.pop("zero_rows")]}
    if (floor := left.pop("floor")) is not None:
        pool |= {"floor": floor, "has_floor": 1}
    chosen = {name: left.pop(name) for name in ("quality", "alpha", "k", "epsilon", "seed")}
    chosen |= {"gain_scale": GAIN_SCALES[left.pop("gain_scale")]}
    if (method := left.pop("method")) != "auto":  # what C takes where none is named, too
        chosen["method"] = METHODS[method]
    given, outside = left.pop("given"), None
    if given is not None and given.ndim == 2:
        outside = given
    elif given is not None:
        chosen |= {"given": given, "given_count": len(given)}
    if (quota := left.pop("quota")) is not None:
        quotas = np.array([quota[group] for group in range(4)], np.int64)
        chosen |= {"groups": left.pop("groups"), "quotas": quotas, "group_count": 4}
    if left["costs"] is not None:
        chosen |= {"costs": left.pop("costs"), "budget": left.pop("budget")}
    del left["backend"], left["threads"]
    assert left == {name: standard[name] for name in left}
    return pool, chosen, outside


def check_same(library, rows, **changes):
    """Compare both on the same options, given in Python's names."""
    named = {"quality": QUALITY, "k": K, "backend": "cpu", "threads": 1} | changes
    options = SelectOptions(**named)
    embeddings = embeddings_of(rows)
    want = qdit.select(embeddings, **named)
    pool, chosen, outside = in_c(options)
    mine = libqdit.Pool(library, rows, outside, threads=2, **pool)
    indices, gains = mine.select(**chosen)
    assert indices.tolist() == want.indices.tolist()
    assert gains.tobytes() == want.gains.tobytes()
    covered = vars(options.only(CoverageOptions))
    assert mine.coverage() == qdit.coverage(embeddings, indices, **covered)
    assert mine.row_coverage().tobytes() == qdit.row_coverage(embeddings, indices, **covered).tobytes()
    mine.close()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", libqdit.DTYPES)
def test_picks_of_python(library, method, dtype):
    check_same(library, rows_of(dtype), method=method)


@pytest.mark.parametrize("alpha", [0.0, 0.1, 1 / 3, 0.9, 1.0])
@pytest.mark.parametrize("gain_scale", GAIN_SCALES)
def test_alpha_and_scales(library, alpha, gain_scale):
    check_same(library, ROWS, alpha=alpha, method="lazy", gain_scale=gain_scale)


@pytest.mark.parametrize(
    "options",
    [
        {"given": np.array([7, 0, 250])},
        {"given": np.array([7, 0, 250]), "alpha": 1.0},
        {"given": clustered_rows(5, D, seed=9, dtype="float64")},
        {"method": "stochastic", "epsilon": 0.3, "seed": 2**40 + 1},
        {"metric": "dot", "method": "exact"},
        {"floor": 0.0, "method": "naive"},
        {"groups": GROUPS, "quota": {0: 3, 1: 0, 2: 20, 3: 7}},
        {"groups": GROUPS, "quota": {0: 3, 1: 0, 2: 20, 3: 7}, "alpha": 1.0, "method": "lazy"},
        {"costs": COSTS, "budget": 900.0, "k": 80},
        {"costs": np.full(N, 0.1), "budget": 0.3, "k": 80},
        {"costs": COSTS, "budget": 900.0, "k": 80, "alpha": 0.0, "method": "lazy"},
        {"costs": COSTS, "budget": 300.0, "k": N, "gain_scale": "per_k", "given": np.array([5])},
        {"costs": COSTS, "budget": 5000.0, "k": 200, "groups": GROUPS, "quota": {0: 3, 1: 9, 2: 20, 3: 7}},
    ],
    ids=lambda options: "-".join(options),
)
def test_options(library, options):
    check_same(library, ROWS, **options)


def test_rows_of_zeros(library):
    rows = ROWS.copy()
    rows[[3, 200]] = 0
    check_same(library, rows, zero_rows="ignore", given=np.array([1, 3]))


def test_cancel_and_resume(library):
    pool = libqdit.Pool(library, ROWS)
    want = pool.select(K, alpha=0.7, quality=QUALITY)[0]
    told = []

    def stop(progress, _):
        told.append(progress.contents.picked)
        return int(progress.contents.picked >= 10)

    callback = libqdit.Callback(stop)
    with pytest.raises(RuntimeError, match=f"{libqdit.CANCELLED}: the progress callback"):
        pool.select(K, alpha=0.7, quality=QUALITY, progress=callback, interval=1e-9)
    assert told == sorted(told)
    assert told[-1] == 10
    again = pool.select(K, alpha=0.7, quality=QUALITY, resume=want[:10].copy(), resume_count=10)[0]
    assert again.tolist() == want.tolist()
    pool.close()


def test_errors_name_the_row(library):
    rows = ROWS.copy()
    rows[17, 2] = np.nan
    with pytest.raises(RuntimeError, match=r"^1: rows: row 17 has nan in column 2"):
        libqdit.Pool(library, rows)


def test_version_and_symbols(library, prefix):
    assert library.qdit_version().decode() == qdit.__version__
    (found,) = prefix.rglob("libqdit.so")
    assert found.resolve().name == f"libqdit.so.{qdit.__version__}"
    symbols = {line.split()[-1] for line in run(tool("nm"), "-D", "--defined-only", found).splitlines()}
    declared = set(re.findall(r"\b(qdit_\w+)\(", (prefix / "include" / "qdit.h").read_text()))
    assert symbols == declared


@pytest.fixture(scope="module")
def pkg_config(prefix):
    """Variables by which pkg-config and the loader find the installed library."""
    (folder,) = {path.parent for path in prefix.rglob("qdit.pc")}
    return libqdit.ENVIRONMENT | {"PKG_CONFIG_PATH": str(folder), "LD_LIBRARY_PATH": str(folder.parent)}


@pytest.fixture(scope="module")
def flags(pkg_config):
    """What pkg-config says of the installed library, and where the loader finds it."""
    words = run(tool("pkg-config"), "--cflags", "--libs", "qdit", env=pkg_config).split()
    return [*words, f"-Wl,-rpath,{pkg_config['LD_LIBRARY_PATH']}"]


def picks_of(printed):
    lines = [line.split() for line in printed.splitlines()]
    return [int(row) for row, _ in lines], [float(gain) for _, gain in lines]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_the_example(flags, tmp_path, dtype):
    program = tmp_path / "select"
    run(tool("cc"), *C99, ROOT / "examples" / "c" / "select.c", *flags, "-o", program)
    np.save(tmp_path / "rows.npy", ROWS.astype(dtype))
    np.save(tmp_path / "quality.npy", QUALITY)
    want = qdit.select(ROWS.astype(dtype), QUALITY, 0.7, K)
    for method in ("exact", "lazy", "naive"):
        printed = run(program, K, 0.7, method, tmp_path / "rows.npy", tmp_path / "quality.npy")
        assert picks_of(printed) == (want.indices.tolist(), want.gains.tolist())


def test_find_package(prefix, tmp_path):
    tool("cc")
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.22)\nproject(user LANGUAGES C)\n"
        f"find_package(qdit {qdit.__version__} CONFIG REQUIRED)\n"
        f"add_executable(user {ROOT}/examples/c/select.c)\ntarget_link_libraries(user PRIVATE qdit::qdit)\n"
    )
    build = tmp_path / "build"
    run(tool("cmake"), "-S", tmp_path, "-B", build, f"-DCMAKE_PREFIX_PATH={prefix}")
    run(tool("cmake"), "--build", build)
    assert len(picks_of(run(build / "user", 5, 0.7, "exact"))[0]) == 5


PAGE = (ROOT / "docs" / "c.md").read_text()


def blocks_of(language):
    found = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert found
    return found


def test_blocks_in_c_compile_and_run(flags, tmp_path):
    for i, block in enumerate(blocks_of("c")):
        source = tmp_path / f"block{i}.c"
        source.write_text(block)
        run(tool("cc"), *C99, source, *flags, "-o", source.with_suffix(""))
        assert len(picks_of(run(source.with_suffix("")))[0]) == 10


def test_commands_of_the_page(prefix, pkg_config, tmp_path):
    build, compile_program = [block.splitlines() for block in blocks_of("bash")]
    tool("cmake")
    # the whole build is that of `prefix`; here what the page says of it
    folder = tmp_path / "build"
    run("bash", "-c", build[0].replace("build/c", str(folder)), cwd=ROOT)
    assert "QDIT_BUILD_C:BOOL=ON" in (folder / "CMakeCache.txt").read_text()
    assert build[1].split() == ["cmake", "--build", "build/c"]
    install = build[2].replace("build/c", str(libqdit.BUILD)).replace("/usr/local", str(tmp_path / "usr"))
    run("bash", "-c", install)
    assert (tmp_path / "usr" / "include" / "qdit.h").exists()
    (tmp_path / "program.c").write_text(blocks_of("c")[0])
    run("bash", "-ec", "\n".join(compile_program), cwd=tmp_path, env=pkg_config)
    assert picks_of(run(tmp_path / "program", env=pkg_config))


def test_python_of_the_page(pkg_config):
    for block in blocks_of("python"):
        assert run(sys.executable, "-c", block, env=pkg_config).strip() == qdit.__version__


def test_the_header_is_c_plus_plus_too(flags, tmp_path):
    source = tmp_path / "user.cpp"
    source.write_text('#include "qdit.h"\nint main() { return qdit_version()[0] == 0; }\n')
    run(tool("c++"), "-std=c++11", *C99[1:], source, *flags, "-o", tmp_path / "user")
    run(tmp_path / "user")


def test_structs_are_those_of_the_header(flags, tmp_path):
    structs = {"qdit_pool_options": libqdit.PoolOptions, "qdit_select_options": libqdit.SelectOptions}
    structs["qdit_progress"] = libqdit.Progress
    lines = []
    for name, struct in structs.items():
        lines += [f'printf("%zu\\n", sizeof({name}));']
        lines += [f'printf("%zu\\n", offsetof({name}, {field[0]}));' for field in struct._fields_]
    source = tmp_path / "sizes.c"
    source.write_text(
        f'#include <stdio.h>\n#include "qdit.h"\nint main(void) {{ {"".join(lines)} return 0; }}\n'
    )
    run(tool("cc"), *C99, source, *flags, "-o", tmp_path / "sizes")
    want = []
    for struct in structs.values():
        want += [ctypes.sizeof(struct), *(getattr(struct, field[0]).offset for field in struct._fields_)]
    assert [int(line) for line in run(tmp_path / "sizes").split()] == want
