"""Choosing rows that are both good and diverse: `qdit.select`, and what it is made of.

Embeddings, quality, limits and options come in; a `Selection` goes out: picks with gains, bound and record.

options              all options, in groups; each is declared, checked and documented there
api, pool            `select` and `sweep`; the same for a pool directory
problem              opened inputs; made of quality (scales of scores) and limits (costs and groups)
methods, baselines   the table of methods, which everybody asks; the methods that are not greedy
memory, plan         bytes that a run needs and may take; the resolved plan: method, picks, memory, graph
run, picking         a checked call, ready to run; one run of the engine with its journal and progress
weighing             what either side weighs: the scale "balanced", statistics, the warning
picks, bounds        what a run found, in the engine's units; how far it can be from the best
precision            where rounding decides picks, and the warning that says so
checkpoint, record   what a stopped run goes on from; what is recorded of inputs, options and result
selection, tables    the result and its files; results as text, folders of a sweep
evaluate, forecast   the value of any set of rows; what a run will take
graph/               similarity graphs of large pools, and greedy on them
"""
