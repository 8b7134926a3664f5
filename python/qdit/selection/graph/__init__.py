"""Similarity graphs: of a large pool's n x n similarities, those that greedy selections need.

Embeddings come in; a graph goes out that any number of selections share, also by way of a folder.

plan     options, what follows from them for a pool, and what building will take
build    `build_graph`, and the graph that select and sweep make when they need one
steps    first picks on a sample, cells, products of candidate pairs
graph    `SimilarityGraph`: greedy on its lists; `load_graph`
files    a graph on disk: mapped arrays and a manifest
"""
