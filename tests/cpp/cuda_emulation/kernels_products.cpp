// Apart from pass.cu, whose helper functions go by the same names.
#include "cuda/kernels/graph.cu"
#include "cuda/kernels/products.cu"
