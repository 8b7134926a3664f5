"""What a model trained on chosen rows is worth: on average, at its worst and at its best.

A module imports only from those before it: stats, tables, set_schemas, sets, answersfile, results, pairwise,
judging, judging_job, hh, loss, printed, alpacaeval, command; coverage*, and bench*, humaneval stand beside
these.
"""
