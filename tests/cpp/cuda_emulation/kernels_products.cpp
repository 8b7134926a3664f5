// Apart from pass.cu, whose helper functions go by the same names.
#include "cuda/graph.cu"
#include "cuda/products.cu"
