"""What touches the compiled engine and rows of embeddings.

Arrays, files and tensors come in and are never copied; `Rows`, engines over them and row numbers go out.

arrays   numbers and labels from arrays, tensors, frames and sequences of every kind
rows     `open_embeddings`: anything that holds rows as checked `Rows`; some of them as float32
device   rows in the memory of a CUDA device
backend  which backend runs, with which products, and how these round; `open_engine`
blocks   work on many rows, part by part: commits of picks, the coverage of all rows
kmeans   spherical k-means: clusters of a selection, cells of a similarity graph
shuffle  splitmix64, and a random order of rows that depends on a seed alone

Selections and similarity graphs are made of these in `qdit.selection`.
"""
