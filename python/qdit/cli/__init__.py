"""The command line: words come in; stages run, and what they made is printed.

main                     the verbs, how options are spelled, exit codes; loads the one verb that is asked for
words, tables            arguments of more than one word; results and forecasts as text
import_, convert         records and vectors from where they are
embed, score             a vector and a quality for every row
select, select_ray       one selection, here or by Ray actors
sweep, simulate          several values of alpha; what a selection by Ray would take
export, report           chosen rows with the evidence, explain and verify; a page to look at
train, generate          a model of the chosen rows; its answers
evaluate, evaluate_models   what a model is worth, by its answers; by benchmarks, and by coverage without one
paper_figures, paper_study  figures and tables of the paper: of a pool, of trained models
run, demo, info          everything as a file says; on rows that come with the project; what this build can do
"""
