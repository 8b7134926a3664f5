"""What a model trained on chosen rows, or the choice itself, is worth: on average, at its worst and best.

Questions, answers or a model come in; numbers with intervals go out, in a file that others can be put beside.

    fields, set_schemas    fields of a row of a file; those of the published sets of questions
    sets, answers          questions of a set; answers of a model to them, alone or beside another model's
    stats                  means and tails of numbers, one a question, with bootstrap intervals
    tables, results        tables as text; result files: named numbers of models, and tables of them
    hh, loss               scores of answers by a reward model; loss of a model on reference answers
    judge/                 a language model compares the answers of two models; win rates as alpaca_eval's
    coverage/              how near chosen rows come to questions; no trained model is needed
    benchmarks/            MMLU, BBH, DROP and others by lm-eval
    humaneval/             HumanEval without the Hub; execution (with its worker) runs the code
    printed                whether a number is one that was published; job: what evaluations have in common
"""
