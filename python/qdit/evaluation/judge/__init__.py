"""A judge, a language model behind an endpoint, compares the answers of two models to the same questions.

Two files of answers go in; for each question and order of the answers comes out a verdict, and of all of them
winning score and rates with intervals, by set and category.

    prompts      what the judge is asked, and how its reply is read
    pairwise     verdicts counted: winning score, rates, the categories where a model does worst and best
    job          the requests, the cache of replies, and the files of a result
    alpacaeval   win rates from alpaca_eval's files of annotations, beside those of its leaderboards
"""
