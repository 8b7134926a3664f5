"""The study of Bukharin & Zhao, "Data Diversity Matters for Robust Instruction Tuning", arXiv 2311.14736.

In comes a pool, or the YAML file of a study that trains models; out go the paper's figures and tables as PNG,
CSV, Markdown, LaTeX and JSON, one module for each. A module imports only from those before it.

    published  what the paper reports      methods   ways to choose         options   of what is selected
    sources    the pool of a figure        shelf     its selections, made once and kept
    results    what a figure leaves        drawing   its picture            paired    differences, intervals
    fig1  fig2  toy  fig9  cost  coverage            figures and tables of a pool alone
    study      the YAML file: every pool, model, size, method and seed is a `Cell`
    place      where the parts of a study are
    stages     what is done for a cell: export, train, generate, evaluate
    cells      `Runner`: does each stage once
    scores     what evaluations say of each question
    table1  table2  fig3  fig4  losses               figures and tables of trained models
"""
