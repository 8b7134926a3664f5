"""Benchmarks run by lm-eval: its own tasks, and tasks by the protocol of InstructEval.

A causal language model and names of benchmarks go in; scores with intervals come out, with every prompt,
answer and score.

    tasks           which benchmarks there are, what a run of one needs, what it gave row by row
    yaml/           lm-eval's description of each task by InstructEval's protocol; it names functions of
    data, protocol, scores     the rows, from files or the Hub; the prompts; what counts as right
    model           the model that lm-eval runs, and what exactly it is
    run             one benchmark in a folder of its own: run, gone on with, or found done
    api             `run_benchmarks`: several of them, and their table
"""
