"""Language models for all stages: those that run here, and those behind an OpenAI-compatible endpoint.

Options and rows of text come in; tensors, texts and ratings go out.

    options      how a model is run here, how an endpoint is asked: base classes of the stages' options
    hub          a model of the Hub or in a folder: files, revision, limits, batches, weights
    causal       causal language models, with adapters or without; what training needs of them
    prompts      the text of a row that a model is given: Alpaca's prompt, a chat template, a format string
    client       one request to an endpoint: forms of answers, kinds of failures, and never the key in one
    asking       the requests of a run: which are left, what they may cost, many at a time, when to stop
    answers      files of the answers, so that nothing is paid for twice; which are of use, and why not
"""
