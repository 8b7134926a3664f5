// Apart from pass.cu, whose helper functions go by the same names.
#include "cuda/products.cu"
#include "cuda/graph.cu"
