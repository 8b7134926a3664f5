"""What a process may use: the machine's, and the limits of the containers around it."""

import os
import resource
import subprocess
import sys

import pytest

from qdit._core import available_memory, total_memory, usable_processors

KB = 1024
V2 = "30 20 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate"
V1 = "35 31 0:32 {root} /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory"
V1_CPU = "36 31 0:33 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct"
MEMINFO = "MemTotal:  9000 kB\nMemFree: 10 kB\nMemAvailable:   5000 kB\n"


def machine(root, files):
    for path, text in {"proc/meminfo": MEMINFO, **files}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return str(root)


@pytest.mark.parametrize(
    ("files", "total", "available"),
    [
        ({}, 9000 * KB, 5000 * KB),
        ({"proc/meminfo": "nothing"}, None, None),
        ({"proc/self/cgroup": "0::/\n", "proc/self/mountinfo": V2}, 9000 * KB, 5000 * KB),
        (
            {
                "proc/self/cgroup": "0::/\n",
                "proc/self/mountinfo": V2,
                "sys/fs/cgroup/memory.max": "2000000\n",
                "sys/fs/cgroup/memory.current": "1500000\n",
                "sys/fs/cgroup/memory.stat": "anon 900000\ninactive_file 300000\nactive_file 100000\n",
            },
            2000000,
            900000,
        ),
        (  # a parent allows less than the group itself
            {
                "proc/self/cgroup": "0::/a.slice/b.scope\n",
                "proc/self/mountinfo": V2,
                "sys/fs/cgroup/a.slice/memory.max": "700000\n",
                "sys/fs/cgroup/a.slice/memory.current": "800000\n",
                "sys/fs/cgroup/a.slice/b.scope/memory.max": "max\n",
            },
            700000,
            0,
        ),
        (  # version 1; a container sees the groups of the host in /proc, its own as the root of the mount
            {
                "proc/self/cgroup": "5:cpu,cpuacct:/docker/x\n4:memory:/docker/x\n0::/\n",
                "proc/self/mountinfo": V1.format(root="/docker/x"),
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "600000\n",
                "sys/fs/cgroup/memory/memory.usage_in_bytes": "500000\n",
                "sys/fs/cgroup/memory/memory.stat": "cache 9\ntotal_inactive_file 50000\n",
            },
            600000,
            150000,
        ),
        (
            {
                "proc/self/cgroup": "4:memory:/a/b\n",
                "proc/self/mountinfo": V1.format(root="/"),
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
                "sys/fs/cgroup/memory/a/memory.limit_in_bytes": "400000\n",
                "sys/fs/cgroup/memory/a/memory.usage_in_bytes": "100000\n",
                "sys/fs/cgroup/memory/a/b/memory.limit_in_bytes": "500000\n",
            },
            400000,
            300000,
        ),
    ],
    ids=["none", "unknown", "v2-none", "v2", "v2-parent", "v1-container", "v1-parent"],
)
def test_memory(tmp_path, files, total, available):
    root = machine(tmp_path, files)
    assert (total_memory(root), available_memory(root)) == (total, available)


@pytest.mark.parametrize(
    ("files", "most"),
    [
        ({}, None),
        ({"sys/fs/cgroup/cpu.max": "max 100000\n"}, None),
        ({"sys/fs/cgroup/cpu.max": "100000 100000\n"}, 1),
        ({"sys/fs/cgroup/cpu.max": "110000 100000\n"}, 2),
        ({"sys/fs/cgroup/cpu.max": "50000 100000\n"}, 1),
        ({"sys/fs/cgroup/a/cpu.max": "max 100000\n", "sys/fs/cgroup/cpu.max": "100 100\n"}, 1),
        ({"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n"}, None),
        (
            {
                "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us": "90000\n",
                "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us": "100000\n",
            },
            1,
        ),
    ],
)
def test_processors(tmp_path, files, most):
    where = {"proc/self/cgroup": "3:cpu,cpuacct:/a\n0::/a\n", "proc/self/mountinfo": f"{V2}\n{V1_CPU}\n"}
    affinity = len(os.sched_getaffinity(0))
    assert usable_processors(machine(tmp_path, where | files)) == min(affinity, most or affinity)


def test_out_of_address_space_names_the_budget():
    """Under `ulimit -v` less is taken by default; where even that is not to be had the remedy is said."""
    code = """
import numpy as np
import qdit
from qdit._core import Engine, available_memory
assert available_memory() < 1 << 30, available_memory()
rows = np.random.default_rng(0).standard_normal((20_000, 8)).astype(np.float32)
qdit.select(rows, None, 0.0, 9, threads=1)
engine = Engine(rows, dtype="float32", threads=1, cache_bytes=1 << 40)
try:
    engine.select("lazy", 9000, weight=1.0, bonus=np.zeros(len(rows)))
except MemoryError as error:
    print(error)
"""
    limit = 1 << 30
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )
    assert done.returncode == 0, done.stderr
    assert "pass a memory_budget" in done.stdout
